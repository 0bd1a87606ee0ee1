#!/bin/bash
# A tracer listens to the probes of a process that is sampled: what it hears is compared with what the process knows.
# usage: probes.sh LIBRARY PROGRAM
# Skipped where bpftrace is missing, or may not (uprobes need privileges and a kernel that has them).
set -euo pipefail

library=$(readlink -f "$1")
program=$2
folder=$(mktemp -d)
tracer=
trap '[[ -z $tracer ]] || kill "$tracer" 2>/dev/null; rm -rf "$folder"' EXIT

skip() {
    echo "skipped: $*" >&2
    exit 77
}
command -v bpftrace >/dev/null || skip "no bpftrace"
unset LD_PRELOAD

cat >"$folder/script" <<END
usdt:$library:otel_memory:alloc /comm == "process_samplin"/ { @allocs = count(); @bytes = sum(arg2); @objects[arg0] = 1; }
usdt:$library:otel_memory:free /comm == "process_samplin"/ { @frees = count(); delete(@objects[arg0]); }
usdt:$library:lowtide:refill /comm == "process_samplin"/ { @refills = count(); }
usdt:$library:lowtide:huge_alloc /comm == "process_samplin"/ { @huge = sum(arg1); }
END
BPFTRACE_MAP_KEYS_MAX=100000 bpftrace "$folder/script" >"$folder/heard" 2>"$folder/errors" &
tracer=$!
for ((i = 0; i < 100; ++i)); do
    grep -q Attaching "$folder/heard" && break
    kill -0 "$tracer" 2>/dev/null || skip "bpftrace can't: $(head -3 "$folder/errors")"
    sleep 0.1
done
sleep 1 # it says that it attaches before it has

LOWTIDE_CONF=sample:16K LD_PRELOAD=$library LOWTIDE_TEST_LIBRARY=$library "$program" probed >"$folder/told"
kill -INT "$tracer"
wait "$tracer" || true
tracer=
heard() { sed -n "s/^@$1: //p" "$folder/heard"; }
told() { sed -n "s/^$1 //p" "$folder/told"; }

[[ -n $(heard allocs) ]] || skip "bpftrace heard nothing: $(head -3 "$folder/errors")"
cat "$folder/told" <(grep -v '^@objects' "$folder/heard")
near() { # WHAT A B: within 5 %
    awk -v a="$2" -v b="$3" 'BEGIN { exit !(a > 0.95 * b && a < 1.05 * b) }' || {
        echo "probes.sh: $1: heard $2, but it is $3" >&2
        exit 1
    }
}
near "bytes allocated" "$(heard bytes)" "$(told allocated)"
near "samples in use" "$(($(heard allocs) - $(heard frees)))" "$(told samples)"
[[ $(heard refills) -gt 0 ]] || { echo "probes.sh: no refill was heard" >&2; exit 1; }
[[ $(heard huge) -ge $((64 << 20)) ]] || { echo "probes.sh: the huge block was not heard" >&2; exit 1; }
