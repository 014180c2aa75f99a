#!/bin/bash
# The long proofs: every fault of tests/torture with its control run, and one table at the end.
#   ONLY=R1,R2   these alone            ROUNDS=20   rounds of each, instead of its own number
#   MINUTES=30   about how long in all  SOAK=1h     how long the soak is
#   SEED=1       the same run again     SMOKE=1     tiny, to see that the rigs work
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/build.sh build
scripts/build.sh build-faults -Dfaults=true
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY all_proxy
PUSHWIRE_BIN=${PUSHWIRE_BIN:-$PWD/build/pushwire} exec node tests/torture/run.mjs
