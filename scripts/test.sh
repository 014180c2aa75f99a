#!/bin/bash
# Every test there is, in four builds, and what a fifth that breaks itself shows. The last line is "N passed, N failed".
set -euo pipefail
cd "$(dirname "$0")/.."

export ASAN_OPTIONS=strict_string_checks=1:detect_stack_use_after_return=1:check_initialization_order=1:detect_leaks=1
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=atexit_sleep_ms=100:second_deadlock_stack=1

# What failed before a test could run is a failed test too.
trap '[ $? = 0 ] || [ -n "${counted:-}" ] || echo "0 passed, 1 failed"' EXIT

scripts/install-e2e.sh

# Set by CI: a warning ends the build.
werror=${PUSHWIRE_WERROR:-false}
build() {
    scripts/build.sh "$1" -Dtests=true -Dwerror="$werror" "${@:2}"
}

CC=gcc build build
CC=clang build build-clang
CC=gcc build build-asan -Db_sanitize=address,undefined -Doptimization=1
CC=gcc build build-tsan -Db_sanitize=thread
CC=gcc build build-faults -Dfaults=true

# The simulations have one thread: the thread sanitizer has nothing to look at there.
counted=yes
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY all_proxy
scripts/run-tests.py \
    build:unit,store,sim,fuzz,e2e \
    build-clang:unit,store,sim \
    build-asan:unit,store,sim,fuzz,address \
    build-tsan:unit,store,thread \
    build-faults:faults
