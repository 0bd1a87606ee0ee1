#!/bin/bash
# What other allocators do with the process tests: a line for each promise, a column for each allocator.
# usage: peers.sh DIRECTORY [REGEX [NAME=LIBRARY…]]
# DIRECTORY has the built test programs, REGEX selects promises; a LIBRARY is preloaded, none is glibc.
set -eu

directory=$1
select=${2:-.}
shift $(($# < 2 ? $# : 2))
libraries=/usr/lib/$(uname -m)-linux-gnu
[ $# -gt 0 ] || set -- glibc= "jemalloc=$libraries/libjemalloc.so.2" \
    "tcmalloc=$libraries/libtcmalloc_minimal.so.4" "mimalloc=$libraries/libmimalloc.so.2.0"

# These look at Lowtide's own messages, options or variables.
ours_only='^process_(secure|wrong_frees|double_frees|rseq)$'
seconds=100 # a test that takes longer hangs

result_of() { # PROGRAM PROMISE LIBRARY
    local status=0 preload=$3
    # Here the library is what is loaded late.
    [ "$(basename "$1")" != process_dynamic_loading ] || preload=
    LOWTIDE_TEST_ANY_ALLOCATOR=1 LOWTIDE_TEST_LIBRARY=$3 LD_PRELOAD=$preload \
        timeout --signal=KILL "$seconds" "$1" "$2" > /dev/null 2>&1 || status=$?
    case $status in
        0) echo kept ;;
        77) echo skipped ;;
        137) echo hangs ;;
        1 | 2) echo broken ;;
        *) echo crashes ;;
    esac
}

printf '%-90s' promise
printf ' %-10s' "${@%%=*}"
echo
for program in "$directory"/process_*; do
    if [ ! -f "$program" ] || [ ! -x "$program" ] || [[ $(basename "$program") =~ $ours_only ]]; then
        continue
    fi
    for promise in $("$program" 2>&1 | tail -n +2 | grep -E "$select" || true); do
        printf '%-90s' "$promise"
        for allocator; do
            printf ' %-10s' "$(result_of "$program" "$promise" "${allocator#*=}" 2> /dev/null)"
        done
        echo
    done
done
