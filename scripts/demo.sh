#!/bin/bash
# Shows the whole way of an event: a server, two receivers, all seven types, every signed call
# arriving, and one that is refused and rescheduled. Leaves nothing behind.
#   scripts/demo.sh [PUSHWIRE]
set -euo pipefail
cd "$(dirname "$0")/.."

pushwire=$(realpath "${1:-build/pushwire}")
limit=60 # seconds for anything that must happen
types=(optIn optOut delivery click updateTopics topicAdded attributeUpdate)

for name in $(compgen -e PUSHWIRE_ || true); do unset "$name"; done
work=$(mktemp -d)
pids=()

finish() {
    local status=$? pid
    trap - EXIT INT TERM
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 1' INT TERM

heading() {
    printf '\n== %s\n' "$*"
}

# Shows a command and runs it.
run() {
    printf '$ pushwire %s\n' "$*"
    "$pushwire" "$@"
}

fail() {
    echo "demo: $*" >&2
    echo "--- what the server said:" >&2
    cat "$work/server.log" >&2
    exit 1
}

# eventually WHAT COMMAND...: asks again and again until the command says yes.
eventually() {
    local what=$1 last=$((SECONDS + limit))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$last" ] || fail "gave up waiting until $what"
        sleep 0.02
    done
}

# has FILE COUNT PATTERN: whether so many lines of the file match.
has() {
    [ "$(grep -cE "$3" "$1")" -ge "$2" ]
}

# start NAME COMMAND...: a program that goes on running; its address goes to $address.
start() {
    local name=$1
    shift
    "$pushwire" "$@" >"$work/$name.out" 2>"$work/$name.log" &
    pids+=($!)
    eventually "the $name program listens" has "$work/$name.out" 1 '^listening on http://'
    address=$(sed -n 's/^listening on //p' "$work/$name.out")
    echo "$name: $address"
}

make_secret() {
    echo "whsec_$(head -c 32 /dev/urandom | base64 -w 0)"
}

heading "A server, with its data in a new folder"
touch "$work/server.log"
start server serve --dev --listen 127.0.0.1:0 --data "$work/data"
export PUSHWIRE_URL=$address PUSHWIRE_DATA=$work/data PUSHWIRE_CHANNEL=shop

heading "A channel"
run channel create "Shop" --id shop

heading "A receiver that works, and a webhook for all events"
secret=$(make_secret)
start good listen --listen 127.0.0.1:0 --secret "$secret"
run webhook create "$address/hook" --secret "$secret" --description "works"

heading "A receiver that refuses, and a webhook for clicks"
secret=$(make_secret)
start bad listen --listen 127.0.0.1:0 --secret "$secret" --status 503 --quiet
run webhook create "$address/hook" --secret "$secret" --events click --description "refuses"

heading "One event of each type"
for type in "${types[@]}"; do
    run send "$type" --subscription "device-1"
done

heading "Each call arrives at the first receiver, signed"
eventually "all have arrived" has "$work/good.out" "${#types[@]}" 'answered 200$'
sed 1d "$work/good.out"
has "$work/good.out" "${#types[@]}" 'signature ok  answered 200$' || fail "a signature is wrong"

heading "The click is refused by the second one"
eventually "the click has arrived" has "$work/bad.out" 1 'answered 503$'
sed 1d "$work/bad.out"

heading "Both are on record: who got what, and when the refused call comes again"
# An outcome is on disk a moment after the receiver has answered.
recorded() {
    "$pushwire" call list >"$work/calls"
    has "$work/calls" "${#types[@]}" ' succeeded ' && has "$work/calls" 1 ' waiting +1 '
}
eventually "the outcomes are recorded" recorded
run call list
refused=$(awk '$3 == "waiting" { print $1 }' "$work/calls")
echo
run call show "$refused"

heading "The server ends when it is told to"
kill -TERM "${pids[0]}"
wait "${pids[0]}" || fail "the server did not end well"
echo "All seven events arrived, signed; one call was refused and is due again in about 2 minutes."
