#!/bin/bash
# Fuzzes every target for a while (SECONDS_EACH, default 60) beginning from its corpus. What it
# finds worth keeping goes to build-fuzz/found/TARGET; a crash stops it and says the input.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${SECONDS_EACH:-60}
CC=clang scripts/build.sh build-fuzz -Dfuzz=true -Db_sanitize=address,undefined -Doptimization=2

for target in build-fuzz/tests/fuzz/fuzz_*; do
    if [ -d "$target" ]; then continue; fi # objects
    name=${target##*/fuzz_}
    found=build-fuzz/found/$name
    mkdir -p "$found"
    echo "== $name, $seconds s"
    "$target" -max_total_time="$seconds" -timeout=5 -max_len=8192 -print_final_stats=1 \
        -artifact_prefix="build-fuzz/$name-" "$found" "tests/fuzz/corpus/$name"
done
