#!/bin/sh
# Builds and runs the fuzzers: run.sh SOURCE SECONDS CFLAGS... -- LIBS...
set -eu
source=$1 seconds=$2
shift 2
flags='' libs='' target=flags
for word; do
    if [ "$word" = -- ]; then target=libs; elif [ $target = flags ]; then flags="$flags $word"; else libs="$libs $word"; fi
done
mkdir -p fuzz
for fuzzer in idx request; do
    echo "== fuzz_$fuzzer: $seconds s"
    # shellcheck disable=SC2086 # lists of words
    clang -g -O1 -std=gnu11 -fsanitize=fuzzer,address,undefined -I"$source" -I. $flags \
        -o "fuzz/fuzz_$fuzzer" "$source/tests/fuzz/fuzz_$fuzzer.c" "$source/tests/lib/small_run.c" \
        server/assets_data.c \
        $(find "$source/core" "$source/db" "$source/api" "$source/server" -name '*.c' ! -name server.c ! -name admission.c ! -name assets_data.c) $libs
    mkdir -p "fuzz/corpus_$fuzzer"
    (cd fuzz && LSAN_OPTIONS="suppressions=$source/tests/lib/lsan.supp" \
        "./fuzz_$fuzzer" -max_total_time="$seconds" -max_len=4096 -print_final_stats=0 "corpus_$fuzzer")
done
