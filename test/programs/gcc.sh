#!/usr/bin/env bash
# g++ on the library under test, and all that it starts: see compiler.sh.
source "$(dirname "$0")/lib.sh"
source "$test_dir/compiler.sh"
need g++ g++

scenario() {
    compile_with g++ cc1plus as collect2 ld
}

compare_with_glibc scenario
