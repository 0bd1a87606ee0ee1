#!/bin/bash
# The example of the block cache: with a block pool the memory of blocks that aren't used goes back, with a free list not.
#
#   block_cache.sh PROGRAM
set -uo pipefail

output=$("$1" 4) || { echo "FAILED: status $?: $output"; exit 1; }
echo "$output"
failures=0

# expect CACHE PHASE LEAST MOST: MiB resident.
expect() {
    local resident
    resident=$(awk -v row="$1 +$2 +[0-9]+ MiB" '$0 ~ "^" row { print $(NF - 1) }' <<<"$output")
    if [[ -n $resident && $resident -ge $3 && $resident -le $4 ]]; then
        return
    fi
    echo "FAILED: $1, $2: ${resident:-nothing} instead of $3 to $4 MiB"
    failures=$((failures + 1))
}

for cache in "handwritten list" "block pool"; do
    expect "$cache" "start" 0 20
    expect "$cache" "200 blocks" 400 440
    expect "$cache" "200 blocks again" 400 440
done
expect "handwritten list" "20 blocks, idle" 400 440
expect "block pool" "20 blocks, idle" 40 80
[[ $failures -eq 0 ]]
