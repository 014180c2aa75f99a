#!/bin/bash
# What can be checked without running anything. Says what is wrong and exits 1, or says nothing.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

failed=0
# check WHAT COMMAND...: runs it and shows its output only when it fails.
check() {
    local what=$1 began=$SECONDS output
    shift
    if output=$("$@" 2>&1); then
        echo "ok    $what ($((SECONDS - began)) s)"
    else
        echo "FAIL  $what"
        printf '%s\n' "$output"
        failed=1
    fi
}

mapfile -t sources < <(find src tests bench -name node_modules -prune -o -name '*.[ch]' -print | sort)
mapfile -t units < <(find src -name '*.c' | sort)
mapfile -t shells < <(find scripts bench tests .ci -name node_modules -prune -o -type f -print0 |
    xargs -0 grep -lE '^#!/bin/(ba)?sh' | sort)
jobs=$(nproc)

tidy() {
    # One line for each file in the order of the list; the analyzer wants one process for each.
    printf '%s\0' "${units[@]}" |
        xargs -0 -n 1 -P "$jobs" clang-tidy-14 --quiet -p build-lint
}

cpp() {
    cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr -j "$jobs" \
        --enable=warning,portability,performance --library=posix -D_GNU_SOURCE \
        --suppress=missingIncludeSystem --suppress=unknownMacro -I src src
}

manual() {
    local page
    ninja --quiet -C build-lint manual || return 1
    for page in build-lint/man/*.1; do
        # "style" would ask for a date in another form.
        mandoc -T lint -W warning "$page" || return 1
    done
}

CC=clang meson setup build-lint -Dtests=true --reconfigure >/dev/null 2>&1 ||
    CC=clang meson setup build-lint -Dtests=true >/dev/null || exit 1

check "clang-format" clang-format-14 --dry-run -Werror "${sources[@]}"
check "layers" scripts/layers.py
check "dashboard" scripts/dashboard.py --check
check "shellcheck" shellcheck --exclude=SC2317 "${shells[@]}"
check "mandoc" manual
check "cppcheck" cpp
check "clang-tidy" tidy

# Larger than the style wants: a reason in the commit, not a failure.
pmccabe "${units[@]}" | awk '$1 > 15 || $5 > 60 {
    printf "note  %s: %d lines, complexity %d\n", $6 " " $7 " " $8, $5, $1 }'
wc -l "${sources[@]}" | awk '$2 != "total" && $1 > 600 { printf "note  %s: %d lines\n", $2, $1 }'

exit $failed
