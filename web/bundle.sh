#!/bin/sh
# Puts the page's modules and styles into few small files: bundle.sh FOLDER UPLOT ESBUILD OUT, where FOLDER has the page, UPLOT
# the chart library's dist (none: charts are tables) and ESBUILD is the bundler (none: modules and styles stay as they are,
# and the page asks for more files). OUT is made anew; it has what embed.sh embeds.
set -eu
web=$1 uplot=$2 esbuild=$3 out=$4

rm -rf "$out" "$out.from"
mkdir -p "$out" "$out.from"
(cd "$web" && find . -name '*.js' ! -path './report/*' ! -name types.js ! -name no_charts.js -o -name '*.css' ! -path './report/*' -o -name index.html -o -name icon.svg) |
while IFS= read -r file; do
    mkdir -p "$out.from/$(dirname "$file")"
    cp "$web/$file" "$out.from/$file"
done
mkdir -p "$out.from/vendor"
if [ -f "$uplot/uPlot.esm.js" ]; then
    cp "$uplot/uPlot.esm.js" "$out.from/vendor/uplot.js"
    cp "$uplot/uPlot.min.css" "$out.from/vendor/uplot.css"
else
    cp "$web/no_charts.js" "$out.from/vendor/uplot.js"
    : >"$out.from/vendor/uplot.css"
fi
if [ -x "$esbuild" ]; then
    cp "$out.from/index.html" "$out.from/icon.svg" "$out"
    "$esbuild" "$out.from/main.js" "$out.from/theme.js" "$out.from/page.css" --bundle --splitting --minify --format=esm \
        --charset=utf8 --log-level=warning --chunk-names='[name]-[hash]' --outdir="$out"
    rm -rf "$out.from"
else
    mv "$out.from/"* "$out" && rmdir "$out.from"
fi
