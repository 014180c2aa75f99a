#!/bin/bash
# Takes the pictures of docs/dashboard.md anew: of the built program, with Debian's Chromium.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install-e2e.sh
scripts/build.sh build
PUSHWIRE_BIN=build/pushwire node scripts/screenshots.mjs docs/screenshots
