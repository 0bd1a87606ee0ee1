#!/usr/bin/env bash
# The test of lib.sh itself: that it fails where it must (other results, a program that silently ran on glibc, a server
# that died, a missing program, no end), and that nothing is left behind, neither processes nor files.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
library=$(realpath "${1:-${LOWTIDE_LIB:-}}") || exit 1
place=$(mktemp -d "${TMPDIR:-/tmp}/lowtide-harness.XXXXXX")
trap 'rm -rf "$place"' EXIT
trap 'exit 1' INT TERM HUP
export TMPDIR=$place/tmp
unset LOWTIDE_TEST_SKIP_MISSING LOWTIDE_TEST_KEEP
failures=0

# expect STATUS TEXT NAME: the test on stdin, called NAME, must end with STATUS, say TEXT and leave nothing behind.
expect() {
    local status=0
    write "$3"
    bash "$place/$3.sh" "$library" >"$place/output" 2>&1 || status=$?
    check "$@" "$status"
}

write() {
    mkdir -p "$TMPDIR"
    { echo "source '$here/lib.sh'" && cat; } >"$place/$1.sh"
}

check() {
    local problem='' left
    [[ $4 == "$1" ]] || problem="ended with status $4 instead of $1"
    grep -qF -- "$2" "$place/output" || problem+=" did not say '$2'"
    left=$(find /proc -maxdepth 2 -path '/proc/[0-9]*/cwd' -lname "$TMPDIR/*" 2>/dev/null; ls -A "$TMPDIR")
    [[ -z $left ]] || problem+=" left behind: $left"
    if [[ -n $problem ]]; then
        echo "FAILED: $3: $problem; its output:"
        cat "$place/output"
        failures=$((failures + 1))
    fi
}

expect 0 "PASSED: same_results: 1 results" same_results <<'END'
scenario() { run echo tide >result/it; check_traces echo; }
compare_with_glibc scenario
END

expect 1 "the result differs from the one on glibc" other_results <<'END'
scenario() { run echo "$side" >result/it; check_traces echo; }
compare_with_glibc scenario
END

expect 1 "left no result" no_results <<'END'
scenario() { run true; }
compare_with_glibc scenario
END

expect 1 "FAILED: silently_on_glibc (lowtide): on the wrong allocator" silently_on_glibc <<'END'
scenario() { run env -u LD_PRELOAD echo tide >result/it; check_traces echo; }
compare_with_glibc scenario
END

expect 1 "no process ran cat" program_that_never_ran <<'END'
scenario() { run echo tide >result/it; check_traces cat; }
compare_with_glibc scenario
END

expect 1 "runs without the library" server_silently_on_glibc <<'END'
scenario() {
    start server env -u LD_PRELOAD sh -c 'touch ready; sleep 1000; :'
    wait_for "the server" "$started" test -e ready
    check_mapped server "$started"
}
compare_with_glibc scenario
END

expect 1 "the process ended while waiting for: the server" server_that_dies <<'END'
scenario() {
    start server sh -c 'sleep 1000 & kill -ABRT $$'
    wait_for "the server" "$started" test -e ready
}
compare_with_glibc scenario
END

expect 1 "server ended with status" server_that_crashes_at_its_end <<'END'
scenario() {
    start server sh -c 'trap "kill -SEGV \$\$" TERM; touch ready; while :; do sleep 0.1; done'
    wait_for "the server" "$started" test -e ready
    stop server "$started" TERM
}
compare_with_glibc scenario
END

expect 1 "line" command_that_fails <<'END'
scenario() { false; echo tide >result/it; }
compare_with_glibc scenario
END

expect 1 "no-such-program is missing: apt-get install its-package" missing_program <<'END'
need its-package no-such-program
END

export LOWTIDE_TEST_SKIP_MISSING=1
expect 77 "SKIPPED: missing_program_allowed" missing_program_allowed <<'END'
need its-package no-such-program
END
unset LOWTIDE_TEST_SKIP_MISSING

expect 143 "not finished after 1 s" no_end <<'END'
time_limit=1
scenario() {
    start stubborn sh -c 'trap "" TERM; sleep 1000; sleep 1000'
    sleep 1000
}
compare_with_glibc scenario
END

# Ended from outside while its server and an orphan of it run.
write ended_from_outside <<'END'
scenario() {
    start server sh -c '(sleep 1000 &) ; touch ready; sleep 1000; :'
    sleep 1000
}
compare_with_glibc scenario
END
bash "$place/ended_from_outside.sh" "$library" >"$place/output" 2>&1 &
pid=$!
until compgen -G "$TMPDIR/*/run/ready" >/dev/null || ! kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
kill -TERM "$pid"
status=0
wait "$pid" || status=$?
check 143 "FAILED: ended_from_outside (glibc): ended by SIGTERM" ended_from_outside "$status"

[[ $failures == 0 ]] || exit 1
echo "PASSED: harness: it fails where it must and leaves nothing behind"
