# For the tests of the example server: starts it, stops it, and looks at what it says at its end.
# shellcheck shell=bash
set -uo pipefail

folder=$(mktemp -d)
server=
port=
failures=0

clean_up() {
    [[ -z $server ]] || kill -KILL "$server" 2>/dev/null
    rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP

fail() {
    echo "FAILED: $*"
    exit 1
}

# check WHAT EXPECTED ACTUAL
check() {
    if [[ $2 == "$3" ]]; then
        echo "ok: $1"
    else
        echo "FAILED: $1: $3 instead of $2"
        failures=$((failures + 1))
    fi
}

need() {
    command -v "$1" >/dev/null && return
    echo "SKIPPED: $1 is missing"
    exit 77
}

# start PROGRAM OPTION…
start() {
    "$@" --port 0 >"$folder/output" 2>"$folder/report" &
    server=$!
    for _ in {1..200}; do
        # shellcheck disable=SC2034 # for the tests
        port=$(sed -n 's/^listening on 127[.]0[.]0[.]1:\([0-9]*\)$/\1/p' "$folder/output")
        [[ -z $port ]] || return 0
        kill -0 "$server" 2>/dev/null || fail "the server ended: $(cat "$folder/report")"
        sleep 0.05
    done
    fail "the server doesn't listen"
}

# SIGTERM: it has to end with 0, with its report, and with no block lost.
stop() {
    local status=0
    kill -TERM "$server"
    wait "$server" || status=$?
    server=
    check "the server ends with 0 after SIGTERM" 0 "$status"
    check "its report is one line" 1 "$(wc -l <"$folder/report")"
    check "all blocks came back" false "$(value blocks_lost)"
    cat "$folder/report"
}

# A value of the report.
value() { sed -n "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/p" "$folder/report"; }

finish() {
    [[ $failures -eq 0 ]]
    exit
}
