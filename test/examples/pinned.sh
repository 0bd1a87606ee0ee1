#!/bin/bash
# The walk-through of docs/profiles.md: the command names the stack whose few small objects keep the memory.
#
#   pinned.sh PROGRAM COMMAND
set -euo pipefail

LOWTIDE_CONF=sample:8K "$1" &
server=$!
trap 'kill "$server" 2>/dev/null' EXIT

# of VALUE: "FUNCTION BYTES" of the first row of functions, when there is an answer.
first() {
    "$2" profile "$server" --value "$1" --format text --limit 3 --wait 10 2>/dev/null |
        awk '/with called/ { getline; print $NF, $1, $2 }'
}

# It has handled its orders, and they have gone back, when the lines alone keep what there is.
for ((i = 0; i < 200; ++i)); do
    read -r function amount unit < <(first pinned "$2") || true
    [[ ${function-} != audit_note || ${unit-} != MiB ]] || break
    sleep 0.2
done
echo "kept by ${function-nobody}: ${amount-} ${unit-}"
[[ $function == audit_note && $unit == MiB ]]
awk -v amount="$amount" 'BEGIN { exit !(amount > 12 && amount < 25) }'
read -r function amount unit < <(first in-use "$2")
echo "in use, most by $function: $amount $unit"
[[ $unit == KiB ]]
