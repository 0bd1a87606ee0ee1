# Shared by the program tests: runs one scenario of a real program twice, on glibc's malloc and on the library
# under test, and compares what the two runs left in their result directories.
#
# A test sources this file, names what it needs (`need`), defines a scenario and hands it to `compare_with_glibc`.
# The scenario starts in an empty directory, the same path on both sides, and leaves in result/ whatever must come
# out identical. It runs the program under test through
#   run CMD…         in the foreground; each process that comes of it is traced, see check_traces;
#   start NAME CMD…  in the background, its pid in $started, its output in NAME.log.
# A process that silently ran on the other allocator fails the test.
#
# Usage of a test: NAME.sh [LIBRARY] (or LOWTIDE_LIB in the environment). Exit code: 0 passed, 1 failed,
# 77 skipped (only with LOWTIDE_TEST_SKIP_MISSING=1). LOWTIDE_TEST_KEEP=1 keeps the scratch directory.
# shellcheck shell=bash

set -euEo pipefail

test_name=$(basename "$0" .sh)
# shellcheck disable=SC2034 # for the tests
test_dir=$(cd "$(dirname "$0")" && pwd)
given_library=${1:-${LOWTIDE_LIB:-}}

# Seconds after which a test gives up; a bound for what hangs, never what a result depends on. A test may lower it.
time_limit=300
# What the glibc side preloads: nothing, unless the program brings a malloc of its own that must be passed over.
glibc_preload=
# The command that run and start go through, to drop privileges.
as_user=()
side=
scratch=

# The same surroundings for everyone who runs the tests, on both sides. ld.so's variables are only set per program.
unset LD_PRELOAD LD_DEBUG LD_DEBUG_OUTPUT LOWTIDE_LIB LOWTIDE_VERIFY LOWTIDE_REPORT MALLOC_ARENA_MAX GLIBC_TUNABLES
export LC_ALL=C TZ=UTC PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
exec </dev/null

fail() {
    echo "FAILED: $test_name${side:+ ($side)}: $*" >&2
    exit 1
}

# need PACKAGE WHAT…: each WHAT, a command or a path, must be there; PACKAGE is the Debian package that has it.
need() {
    local package=$1 what
    shift
    for what in "$@"; do
        [[ $what == */* && -e $what ]] || command -v "$what" >/dev/null || missing "$what" "$package"
    done
}

missing() {
    if [[ ${LOWTIDE_TEST_SKIP_MISSING:-0} == 1 ]]; then
        echo "SKIPPED: $test_name: $1 is missing (Debian package $2)"
        exit 77
    fi
    fail "$1 is missing: apt-get install $2"
}

# --- processes of the program under test

# run CMD…: CMD on this side's allocator, ld.so noting in traces/ which libraries each process starts with.
run() {
    local preload=$scratch/liblowtide.so
    [[ $side == lowtide ]] || preload=$glibc_preload
    "${as_user[@]}" env LD_PRELOAD="$preload" LD_DEBUG=files LD_DEBUG_OUTPUT="$scratch/run/traces/ld" "$@"
}

# start NAME CMD…: a server. Not traced, since it may close or reuse ld.so's file: see check_mapped.
start() {
    local name=$1 preload=$scratch/liblowtide.so
    shift
    [[ $side == lowtide ]] || preload=$glibc_preload
    # LOWTIDE_VERIFY: the library itself checks, in this very process, that malloc resolves to it.
    (LOWTIDE_VERIFY=$BASHPID exec "${as_user[@]}" env LD_PRELOAD="$preload" "$@") >>"$name.log" 2>&1 &
    # shellcheck disable=SC2034 # for the tests
    started=$!
}

# stop NAME PID SIGNAL: the server must obey and exit with 0: a crash on the way out is a failure too.
stop() {
    local status=0
    kill "-$3" "$2"
    wait "$2" || status=$?
    [[ $status == 0 ]] || fail "$1 ended with status $status after SIG$3"
}

# wait_for WHAT PID CMD…: until CMD succeeds, as long as the process PID lives; the test's time limit bounds it.
wait_for() {
    local what=$1 pid=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        kill -0 "$pid" 2>/dev/null || fail "the process ended while waiting for: $what"
        sleep 0.05
    done
}

# check_mapped NAME PID…: these live processes have the library under test mapped on its side, and only there.
check_mapped() {
    local name=$1 pid mapped
    shift
    for pid in "$@"; do
        mapped=no
        ! grep -qF "$scratch/liblowtide.so" "/proc/$pid/maps" || mapped=yes
        case $side/$mapped in
            lowtide/no) fail "$name (pid $pid) runs without the library: it is not in /proc/$pid/maps" ;;
            glibc/yes) fail "$name (pid $pid) has the library mapped in the run on glibc" ;;
        esac
    done
}

# children_of PID: its direct children, on one line.
children_of() {
    cat "/proc/$1"/task/*/children 2>/dev/null || true
}

# check_traces NAME…: every program that came of `run` started with the library on its side and only there, and
# programs of these names were among them. A trace holds, for each exec of one pid, one "calling init" line per
# library and then one "initialize program" line.
check_traces() {
    local name traces=$scratch/run/traces
    compgen -G "$traces/ld.*" >/dev/null || fail "ld.so traced no process"
    awk -v library="$scratch/liblowtide.so" -v side="$side" '
        FNR == 1 { loaded = 0 }
        /calling init: / && $NF == library { loaded = 1 }
        /initialize program: / {
            if (loaded != (side == "lowtide")) { print $NF; bad = 1 }
            loaded = 0
        }
        END { exit bad }' "$traces"/ld.* >"$traces/wrong" ||
        fail "on the wrong allocator: $(sort "$traces/wrong" | uniq -c | head -5 | tr -s '\n ' ' ')"
    for name in "$@"; do
        grep -qE "initialize program: (.*/)?$name\$" "$traces"/ld.* || fail "no process ran $name under ld.so's trace"
    done
}

# free_port: a TCP port of 127.0.0.1 below the ephemeral range that nobody listens on now. Somebody else may be
# quicker, so whoever binds it tries again with another one.
free_port() {
    local port
    for _ in {1..100}; do
        port=$((RANDOM % 12000 + 20000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port" && return; }
    done
    fail "no free port"
}

# --- the two runs

# compare_with_glibc SCENARIO
compare_with_glibc() {
    local took=() count
    set_up
    for side in glibc lowtide; do
        took+=("$SECONDS")
        run_side "$1"
        took[-1]="$side $((SECONDS - took[-1])) s"
    done
    side=
    diff -r "$scratch/glibc/result" "$scratch/lowtide/result" >"$scratch/differences" 2>&1 || {
        head -c 4000 "$scratch/differences" >&2
        fail "the result differs from the one on glibc (< glibc, > lowtide)"
    }
    count=$(find "$scratch/lowtide/result" -type f | wc -l)
    [[ $count -gt 0 ]] || fail "the scenario left no result to compare"
    echo "PASSED: $test_name: $count results as on glibc (${took[0]}, ${took[1]}, limit $time_limit s for both)"
}

set_up() {
    [[ -n $given_library ]] || fail "no library given: $0 LIBRARY"
    [[ -r $given_library ]] || fail "no such library: $given_library"
    given_library=$(realpath "$given_library")
    trap clean_up EXIT
    trap 'ended_by INT 130' INT
    trap 'ended_by TERM 143' TERM HUP
    trap 'echo "$test_name ($side): line $LINENO: status $? from: $BASH_COMMAND" >&2' ERR
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/lowtide-$test_name.XXXXXX")
    chmod 755 "$scratch"
    # A copy: servers that drop their privileges must be able to read it, and ld.so splits LD_PRELOAD at blanks.
    install -m 755 "$given_library" "$scratch/liblowtide.so"
    cd "$scratch"
    (
        sleep "$time_limit"
        echo "FAILED: $test_name: not finished after $time_limit s" >&2
        kill -TERM $$
    ) &
}

ended_by() {
    echo "FAILED: $test_name ($side): ended by SIG$1" >&2
    exit "$2"
}

# Runs the scenario as a job, so that a signal to the test is handled at once and not after the program's end.
run_side() {
    mkdir -p "$scratch/run/result" "$scratch/run/traces" "$scratch/run/home"
    (
        cd "$scratch/run"
        export HOME=$PWD/home
        "$1"
    ) &
    wait $! || fail_with_logs
    mv "$scratch/run" "$scratch/$side"
}

fail_with_logs() {
    local log
    for log in "$scratch"/run/*.log; do
        [[ ! -s $log ]] || { echo "--- the end of ${log##*/}" && tail -n 20 "$log"; } >&2
    done
    fail "the scenario failed, see above"
}

# Whatever happened: ends every process that came of this test, by pid, and removes what it wrote. Orphans too, like
# the workers of a server that crashed: we know our processes by their working directory, which is in $scratch.
clean_up() {
    local status=$?
    trap - EXIT ERR
    trap '' INT TERM HUP
    set +e
    if [[ -n $scratch ]]; then
        signal_ours TERM
        for _ in {1..50}; do
            sleep 0.1
            signal_ours 0 || break
        done
        signal_ours KILL
        cd /
        if [[ ${LOWTIDE_TEST_KEEP:-0} == 1 ]]; then
            echo "kept: $scratch"
        else
            rm -rf "$scratch"
        fi
    fi
    exit "$status"
}

# signal_ours SIGNAL: to all of ours but this shell itself; succeeds if there was any.
signal_ours() {
    local links link ours=()
    mapfile -t links < <(exec find /proc -maxdepth 2 -path '/proc/[0-9]*/cwd' -lname "$scratch*" 2>/dev/null)
    for link in "${links[@]}"; do
        link=${link#/proc/}
        [[ ${link%/cwd} == "$$" ]] || ours+=("${link%/cwd}")
    done
    kill "-$1" "${ours[@]}" 2>/dev/null
}
