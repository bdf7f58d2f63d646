#!/bin/sh
# Who may include whom: core <- db <- server <- cli, and which room alone knows which library.
# Prints TAP; ARROWS_ROOT is the tree to look at (default: the source).
set -u
root=${ARROWS_ROOT:-${srcdir:-.}}
number=0
failed=0

# forbid ROOM PATTERN WHAT: no #include in ROOM may match PATTERN
forbid() {
    number=$((number + 1))
    found=$(cd "$root" && grep -nE "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"](\.\./)*($2)" \
        -r "$1" --include='*.c' --include='*.h')
    if [ -n "$found" ]; then
        echo "not ok $number - $1 does not include $3"
        echo "$found" | sed 's/^/# /'
        failed=1
    else
        echo "ok $number - $1 does not include $3"
    fi
}

forbid core 'db/|server/|cli/' 'the rooms above it'
forbid db 'server/|cli/' 'the rooms above it'
forbid server 'cli/' 'the room above it'
forbid core 'sqlite3|microhttpd|cjson|cJSON|stb_image_write' 'SQLite, libmicrohttpd, cJSON or a PNG writer'
forbid db 'microhttpd|cjson|cJSON|stb|cblas|zlib' 'other rooms’ libraries'
forbid server 'sqlite3|cblas' 'SQLite or CBLAS'
forbid cli 'sqlite3|microhttpd|cjson|cJSON|stb|cblas|zlib' 'libraries of the rooms below'
forbid server 'db/(database|schema|settings|images|texts|patterns|parameters|chunks|run_private)' 'what is internal to db'
forbid cli 'db/(database|schema|settings|images|texts|patterns|parameters|chunks|run_private)' 'what is internal to db'

# The test itself must be able to fail: an arrow upwards in a copy is found.
if [ -z "${ARROWS_ROOT:-}" ]; then
    number=$((number + 1))
    copy=$(mktemp -d ./arrows-XXXXXX) && mkdir "$copy/core" "$copy/db" "$copy/server" "$copy/cli"
    echo '#include "../db/run.h"' >"$copy/core/wrong.c"
    if ARROWS_ROOT=$copy sh "$0" >/dev/null 2>&1; then
        echo "not ok $number - an arrow upwards is found"
        failed=1
    else
        echo "ok $number - an arrow upwards is found"
    fi
    rm -rf "$copy"
fi
echo "1..$number"
exit $failed
