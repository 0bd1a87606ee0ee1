#!/bin/bash
# Counts the instructions that the library executes for an operation of each single-threaded workload, under callgrind,
# and compares them with the record. They depend on neither the machine nor its load, so a change is a change of the code.
#
#   instructions.sh [--inline] LIBRARY WORKLOADS RECORD [--update]
#
# --inline: those of WORKLOADS count too, as it has functions of the library's headers in it.
set -euo pipefail

inline=
if [[ $1 == --inline ]]; then
    inline=yes
    shift
fi

library=$1 workloads=$2 record=$3 update=${4-}
tolerance=1 # percent: another libc asks for other memory when a process starts
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

command -v valgrind >/dev/null || { echo "valgrind is not installed"; exit 77; }

# The instructions in the library's own code, of callgrind's output: its lines are costs of the object that the last ob=
# named, but for the one behind calls=, which is what was called.
own_instructions() {
    awk -v library="$(basename "$library")" -v program="${inline:+$(basename "$workloads")}" '
        function named(text) { # "(id) name" the first time, "(id)" later
            id = text; sub(/ .*/, "", id)
            if (text ~ / /) { names[id] = text; sub(/^[^ ]* /, "", names[id]) }
            return names[id]
        }
        /^ob=/ { object = named(substr($0, 4)); sub(/.*\//, "", object); ours = object == library || object == program }
        /^cob=/ { named(substr($0, 5)) }
        /^calls=/ { getline; next }
        /^[0-9+*-]/ { if (ours) sum += $2 }
        END { print sum + 0 }' "$1"
}

# count WORKLOAD SCALE: instructions for an operation
count() {
    # Without the variables of whoever runs this: the library looks through them when it starts.
    env -i PATH="$PATH" LD_PRELOAD="$library" valgrind --tool=callgrind --callgrind-out-file="$work/out" --log-file="$work/log" \
        "$workloads" --scale "$2" "$1" >"$work/said" || { cat "$work/log" "$work/said" >&2; exit 1; }
    grep -qF "malloc $library" "$work/said" || { echo "$1 did not run on $library" >&2; exit 1; }
    awk -v sum="$(own_instructions "$work/out")" '$1 == "operations" { printf "%.2f\n", sum / $2 }' "$work/said"
}

now=$work/now
grep '^#' "$record" >"$now"
failed=0
while read -r workload scale expected; do
    is=$(count "$workload" "$scale")
    printf '%-24s %-8s %s\n' "$workload" "$scale" "$is" >>"$now"
    awk -v is="$is" -v was="$expected" -v limit="$tolerance" \
        'BEGIN { exit (is - was) * 100 > limit * was || (was - is) * 100 > limit * was }' ||
        { echo "$workload: $is instructions an operation, $expected in the record"; failed=1; }
done < <(grep -v '^#' "$record")

if [[ $update == --update ]]; then
    cp "$now" "$record"
elif [[ $failed -ne 0 ]]; then
    echo "If that is meant: the target update_instructions writes the record."
    exit 1
fi
