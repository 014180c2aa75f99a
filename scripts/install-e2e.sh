#!/bin/bash
# The packages that the end-to-end tests need from npm, unless they are there.
set -euo pipefail
cd "$(dirname "$0")/../tests/e2e"

if ! cmp -s package-lock.json node_modules/.installed; then
    npm ci --loglevel=error --no-audit --no-fund >/dev/null
    cp package-lock.json node_modules/.installed
fi
