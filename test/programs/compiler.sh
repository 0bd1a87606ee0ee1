# Shared by the tests of g++ and clang++: compile and optimise a large file of templates and the standard library, link
# it, run it, and have errors reported; object, program, its output and the compiler's messages must be the same.
# shellcheck shell=bash disable=SC2154 # variables of lib.sh

# compile_with COMPILER PROCESS…: these processes must have run on the right allocator too.
compile_with() {
    local compiler=$1
    shift
    run "$compiler" -std=c++20 -O2 -g -pipe -c "$test_dir/large.cpp" -o result/large.o
    run "$compiler" result/large.o -o result/large
    run result/large >result/output
    ! run "$compiler" -std=c++20 -fsyntax-only -DLARGE_WITH_ERRORS "$test_dir/large.cpp" 2>result/messages ||
        fail "$compiler accepts what is wrong"
    grep -q missing_name result/messages || fail "$compiler did not say what is wrong"
    check_traces "${compiler//+/.}" large "$@"
}
