#!/bin/bash
# The example server under load by wrk: its memory in regions, in Lowtide's malloc, and in others.
#
#   compare.sh [--seconds N] [--rounds N] SERVER [ALLOCATOR.so…]
#
# Each round runs all variants one after another; the table has the medians of the rounds. glibc's malloc is always
# among them. `pages`: GET, with the headers that a browser sends, by 64 clients; `bodies`: PUT of 1.5 MiB by 16 clients;
# `uploads`: 100 slow clients put 2 MiB each, all at a time. Without options it takes ten minutes or so and makes more
# than a million requests for pages of each variant.
set -euo pipefail

usage() {
    sed -n '2,9s/^# \{0,1\}//p' "$0"
    exit 2
}

seconds=6
rounds=5
while [[ ${1-} == --* ]]; do
    case $1 in
    --seconds) seconds=$2 ;;
    --rounds) rounds=$2 ;;
    *) usage ;;
    esac
    shift 2
done
[[ $# -ge 1 ]] || usage
server_program=$1
shift
unset LD_PRELOAD
folder=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill -KILL "$server" 2>/dev/null; rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM HUP

# What is compared, NAME|MEMORY|PRELOAD. libc, preloaded, comes before the library that the server is linked with.
variants=("regions|region|" "malloc: lowtide|malloc|" "malloc: libc|malloc|libc.so.6")
for library; do
    name=${library##*/}
    variants+=("malloc: ${name%%.so*}|malloc|$library")
done

cat >"$folder/pages.lua" <<'END'
wrk.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
wrk.headers["Accept"] = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
wrk.headers["Accept-Language"] = "en-US,en;q=0.5"
wrk.headers["Accept-Encoding"] = "gzip, deflate, br"
wrk.headers["Referer"] = "http://localhost/overview?page=12"
wrk.headers["Cookie"] = "session=4bf92f3577b34da6a3ce929d0e0e4736; theme=dark; seen=1729341"
wrk.headers["Cache-Control"] = "no-cache"
wrk.headers["Upgrade-Insecure-Requests"] = "1"
END
cat >"$folder/bodies.lua" <<'END'
wrk.method = "PUT"
wrk.body = string.rep("0123456789abcdef", 98304)
END

head -c 2097152 /dev/zero >"$folder/upload"

fail() {
    echo "compare.sh: $*" >&2
    exit 1
}

# A value of the server's report.
value() { sed -n "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/p" "$folder/report"; }

# start MEMORY PRELOAD: sets server and port.
start() {
    : >"$folder/output"
    LD_PRELOAD=$2 "$server_program" --memory "$1" --port 0 >"$folder/output" 2>"$folder/report" &
    server=$!
    until port=$(sed -n 's/^listening on .*:\([0-9]*\)$/\1/p' "$folder/output") && [[ -n $port ]]; do
        kill -0 "$server" 2>/dev/null || fail "the server ended: $(cat "$folder/report")"
        sleep 0.05
    done
}

# The malloc that the server had must be the one of the variant.
check_malloc() {
    local expected=${1:-liblowtide.so}
    [[ $(value malloc) == *"${expected##*/}"* ]] || fail "malloc is that of $(value malloc), not of $expected"
}

# Sets rate: requests a second.
load_pages() { with_wrk pages 64; }
load_bodies() { with_wrk bodies 16; }
load_uploads() {
    local begin=${EPOCHREALTIME/./}
    curl -s --parallel --parallel-immediate --parallel-max 100 --limit-rate 1M -H Expect: --fail \
        -T "$folder/upload" "http://127.0.0.1:$port/[1-100]" >"$folder/answers" 2>"$folder/progress" || fail "an upload failed"
    rate=$((100000000 / (${EPOCHREALTIME/./} - begin)))
}
with_wrk() {
    wrk -t 1 -c "$2" --timeout 60s -d "${seconds}s" -s "$folder/$1.lua" "http://127.0.0.1:$port/" >"$folder/wrk"
    ! grep -E 'Non-2xx|Socket errors' "$folder/wrk" || fail "requests failed"
    rate=$(awk '/^Requests\/sec:/ { print $2 }' "$folder/wrk")
}

# run LOAD NAME MEMORY PRELOAD: adds a line of figures to the variant's file: requests a second, user CPU in µs for
# each, minor faults for 1000, peak RSS and RSS after two quiet seconds in MiB, requests.
run() {
    local load=$1 name=$2 memory=$3 preload=$4 rate quiet
    start "$memory" "$preload"
    "load_$load"
    sleep 2
    quiet=$(awk '/^VmRSS:/ { print $2 }' "/proc/$server/status")
    kill -TERM "$server"
    wait "$server" || fail "$name: the server ended with status $?"
    server=
    check_malloc "$preload"
    awk -v rate="$rate" -v n="$(value requests)" -v user="$(value user_ms)" -v faults="$(value minor_faults)" \
        -v peak="$(value peak_rss_kib)" -v quiet="$quiet" \
        'BEGIN { print rate, user * 1000 / n, faults * 1000 / n, peak / 1024, quiet / 1024, n }' >>"$folder/$load $name"
}

# median COLUMN: of the lines on stdin.
median() {
    awk -v column="$1" '{ print $column }' | sort -g |
        awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

print_table() {
    local load variant file
    printf '%-7s %-22s %10s %10s %12s %10s %10s %10s\n' \
        load memory requests/s 'user us' faults/1000 'peak MiB' 'quiet MiB' requests
    for load in pages bodies uploads; do
        for variant in "${variants[@]}"; do
            file="$folder/$load ${variant%%|*}"
            printf '%-7s %-22s %10.0f %10.2f %12.1f %10.1f %10.1f %10d\n' "$load" "${variant%%|*}" \
                "$(median 1 <"$file")" "$(median 2 <"$file")" "$(median 3 <"$file")" "$(median 4 <"$file")" \
                "$(median 5 <"$file")" "$(awk '{ sum += $6 } END { print sum }' "$file")"
        done
    done
}

for ((round = 1; round <= rounds; ++round)); do
    for load in pages bodies uploads; do
        for variant in "${variants[@]}"; do
            IFS='|' read -r name memory preload <<<"$variant"
            echo "round $round of $rounds: $load, $name" >&2
            run "$load" "$name" "$memory" "$preload"
        done
    done
done
print_table
