#!/usr/bin/env bash
# Python: CPython's own tests of threads, subprocesses, ctypes, multiprocessing and other parts that live off malloc,
# with every Python object on malloc; each single test must end as it does on glibc.
source "$(dirname "$0")/lib.sh"
need python3 /usr/bin/python3
version=$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
need "libpython$version-testsuite" "/usr/lib/python$version/test/test_threading.py"
export PYTHONMALLOC=malloc PYTHONDONTWRITEBYTECODE=1

# Two processes side by side: these tests wait more than they work.
first=(test_thread test_threading test_threading_local test_ctypes test_subprocess test_gc test_zlib test_json)
second=(test_multiprocessing_fork test_queue test_array test_mmap test_buffer)

# Not run: what measures time, sleeps for long or takes a port again at once, and so depends on how busy the machine is.
ignored=('*timeout*' '*Timeouts*' '*TestWait*' '*Barrier*' '*Condition*' '*TestPoll*' '*Listener*' '*TestResourceTracker*'
    '*ManagerRestart*' '*TestQueue.test_get' '*TestQueue.test_put' '*.test_thread_safety' '*_wait*' '*poll*' '*terminate*'
    '*sleep*' '*interrupt*' '*.test_communicate_repeated_call*')

start_tests() {
    local name=$1 ignore=() pattern
    shift
    for pattern in "${ignored[@]}"; do ignore+=(-i "$pattern"); done
    start "$name" /usr/bin/python3 -m test -v --junit-xml "$PWD/$name.xml" --tempdir "$PWD" "${ignore[@]}" "$@"
}

finish_tests() {
    local status=0
    wait "$2" || status=$?
    [[ $status == 0 ]] && return
    grep -E -A 30 '^(FAIL|ERROR): ' "$1.log" | head -n 100 >&2
    fail "python ended with status $status; failed tests: $(grep -E '^(FAIL|ERROR): ' "$1.log" | tr '\n' ';')"
}

scenario() {
    local first_pid
    start_tests first "${first[@]}"
    first_pid=$started
    start_tests second "${second[@]}"
    wait_for "the first tests" "$first_pid" grep -q '\.\.\. ok' first.log
    wait_for "the first tests" "$started" grep -q '\.\.\. ok' second.log
    check_mapped python "$first_pid" "$started"
    finish_tests first "$first_pid"
    finish_tests second "$started"
    /usr/bin/python3 - first.xml second.xml >result/outcomes <<-'END'
		import sys, xml.etree.ElementTree as tree
		cases = [case for path in sys.argv[1:] for case in tree.parse(path).iter("testcase")]
		for case in sorted(cases, key=lambda case: case.get("name")):
		    print(case.get("name"), case.get("result"), *(child.tag for child in case))
	END
}

compare_with_glibc scenario
