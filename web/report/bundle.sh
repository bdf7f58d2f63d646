#!/bin/sh
# Puts the report's template, styles and modules into one page that needs nothing else, and writes it as a C array:
# bundle.sh FOLDER UPLOT (its module) UPLOT_CSS to stdout. The marks @REPORT@ and @PICTURES@ stay for the program to fill.
# Modules become data: addresses, which know no folders: so 'from ./dom.js' becomes 'from keylight/dom.js'.
set -eu
web=$1 uplot=$2 uplot_css=$3
modules='report/main.js chart.js dom.js format.js lifetime.js words.js'

address() { printf 'data:text/javascript;base64,'; base64 | tr -d '\n'; }

import_map() {
    printf '{"imports":{"keylight/vendor/uplot.js":"'
    address <"$uplot"
    for module in $modules; do
        printf '","keylight/%s":"' "$module"
        sed -E "s#^(import .*|} )from '(\.\.?|/assets)/#\1from 'keylight/#" "$web/$module" | address
    done
    printf '"}}'
}

page() {
    while IFS= read -r line; do
        case $line in
        *@STYLE@*) echo '<style>'; cat "$uplot_css" "$web/style.css" "$web/panels.css" "$web/report/report.css"; echo '</style>' ;;
        *@THEME@*) echo '<script>'; cat "$web/theme.js"; echo '</script>' ;;
        *@MODULES@*) printf '<script type="importmap">'; import_map; echo '</script>' ;;
        *) printf '%s\n' "$line" ;;
        esac
    done <"$web/report/page.html"
}

echo '/* Made by web/report/bundle.sh from the files of web/. */'
echo '#include "cli/output/report_page.h"'
echo 'const char kl_report_page[] = {'
page | od -An -v -tx1 | sed 's/ \([0-9a-f][0-9a-f]\)/0x\1,/g'
echo '0};'
