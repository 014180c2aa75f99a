#!/bin/sh
# Configures a build folder once and builds it; further words are options for meson.
#   scripts/build.sh FOLDER [-Doption=value ...]
set -eu
cd "$(dirname "$0")/.."

folder=$1
shift
log=$(mktemp)
trap 'rm -f "$log"' EXIT

if [ -f "$folder/build.ninja" ]; then
    [ $# = 0 ] || meson configure "$folder" "$@" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
else
    meson setup "$folder" "$@" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
fi
# What meson says while it configures anew is nothing that the compiler warns of.
ninja --quiet -C "$folder" build.ninja >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
ninja --quiet -C "$folder" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
# Warnings of a build that succeeded.
grep -v '^ninja: ' "$log" >&2 || true
