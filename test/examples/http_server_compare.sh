#!/bin/bash
# The comparison of the example server's memories runs, and each row is of the malloc that it names.
#
#   http_server_compare.sh COMPARE SERVER
set -uo pipefail

if ! command -v wrk >/dev/null; then
    echo "SKIPPED: wrk is missing"
    exit 77
fi
output=$("$1" --seconds 1 --rounds 1 "$2") || { echo "FAILED: status $?: $output"; exit 1; }
echo "$output"
for load in pages bodies uploads; do
    for memory in 'regions' 'malloc: lowtide' 'malloc: libc'; do
        grep -qE "^$load +$memory( +[0-9.]+){6}\$" <<<"$output" || { echo "FAILED: no row $load, $memory"; exit 1; }
    done
done
