#!/usr/bin/env bash
# clang++ on the library under test, and the linker that it starts: see compiler.sh.
source "$(dirname "$0")/lib.sh"
source "$test_dir/compiler.sh"
need clang-14 clang++-14

scenario() {
    compile_with clang++-14 ld
}

compare_with_glibc scenario
