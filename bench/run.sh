#!/bin/sh
# Measures the built program and prints the table of docs/benchmark.md.
#   bench/run.sh [--quick] [--help] [further options of bench/run.py]
# Another build folder than build/: PUSHWIRE_BUILD=FOLDER bench/run.sh
set -eu
cd "$(dirname "$0")/.."

build=${PUSHWIRE_BUILD:-build}
said=$(ninja --quiet -C "$build" bench/bench-receiver bench/bench-load \
    bench/bench-fill) || {
    echo "$said" >&2
    exit 1
}
exec python3 -B bench/run.py --build "$build" "$@"
