#!/bin/sh
# Writes the page's files as C arrays, compressed: embed.sh FOLDER FILE... (paths below FOLDER) to stdout.
# NAME=PATH as a file stands for PATH itself under the name NAME.
set -eu
folder=$1
shift

media_type() {
    case $1 in
    *.html) echo 'text/html; charset=utf-8' ;;
    *.js) echo 'text/javascript; charset=utf-8' ;;
    *.css) echo 'text/css; charset=utf-8' ;;
    *.svg) echo 'image/svg+xml' ;;
    *.json) echo 'application/json' ;;
    *) echo "embed.sh: no media type known for $1" >&2; exit 1 ;;
    esac
}

echo '/* Made by web/embed.sh from the files of web/. */'
echo '#include "server/assets.h"'
n=0
table=
for file in "$@"; do
    case $file in
    *=*) name=${file%%=*} path=${file#*=} ;;
    *) name=$file path=$folder/$file ;;
    esac
    type=$(media_type "$name")
    n=$((n + 1))
    echo "static const unsigned char file_$n[] = {"
    case $name in # pages are completed before they go out
    *.html) pack=cat is_gzip=0 ;;
    *) pack='gzip -9nc' is_gzip=1 ;;
    esac
    $pack "$path" | od -An -v -tx1 | sed 's/ \([0-9a-f][0-9a-f]\)/0x\1,/g'
    echo '};'
    table="$table    {\"$name\", \"$type\", file_$n, sizeof file_$n, $is_gzip},
"
done
printf '\nconst struct kl_asset kl_assets[] = {\n%s};\n' "$table"
echo "const size_t kl_n_assets = sizeof kl_assets / sizeof kl_assets[0];"
