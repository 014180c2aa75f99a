#!/bin/sh
# Installs the Debian packages that the named sets need, and nothing when all are there.
#   scripts/install-deps.sh build|test|bench|fuzz|torture|lint ...
set -eu

build="build-essential meson ninja-build pkg-config ca-certificates curl
    libcurl4-openssl-dev libsqlite3-dev libssl-dev libinih-dev
    libc-ares-dev libmaxminddb-dev libseccomp-dev python3-yaml"
test="clang libcmocka-dev openssl faketime chromium zsh"
bench="wrk python3"
fuzz="clang libclang-rt-14-dev"
torture="strace sqlite3 nftables iproute2 e2fsprogs faketime"
lint="clang-format-14 clang-tidy-14 cppcheck pmccabe mandoc shellcheck"

wanted=
for set in "$@"; do
    case $set in
    build)
        wanted="$wanted $build"
        # Whatever node is there will do; Debian's otherwise.
        command -v node >/dev/null || wanted="$wanted nodejs"
        command -v npm >/dev/null || wanted="$wanted npm"
        ;;
    test) wanted="$wanted $test" ;;
    bench) wanted="$wanted $bench" ;;
    fuzz) wanted="$wanted $fuzz" ;;
    torture) wanted="$wanted $torture" ;;
    lint) wanted="$wanted $lint" ;;
    *)
        echo "install-deps: no set is called $set" >&2
        exit 2
        ;;
    esac
done

# Elsewhere than on Debian the compiler and meson say what is missing.
command -v dpkg-query >/dev/null && command -v apt-get >/dev/null || exit 0

missing=
for package in $wanted; do
    case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true) in
    *" installed") ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    as_root='env'
elif command -v sudo >/dev/null; then
    as_root="sudo env"
else
    echo "These Debian packages are missing; install them as root:" >&2
    echo "   apt-get install$missing" >&2
    exit 1
fi

echo "Installing:$missing" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # both are lists of words
if ! { $as_root apt-get update -qq && $as_root DEBIAN_FRONTEND=noninteractive \
    apt-get install -qq -y --no-install-recommends $missing; } >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
fi
