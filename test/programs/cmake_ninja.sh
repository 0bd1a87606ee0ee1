#!/usr/bin/env bash
# CMake and Ninja: generate, configure, build and test a project of fifty small files, touch one header and build again;
# all that they write and say must be the same. Every process of it runs on the library: cmake, ninja, compilers, tests.
source "$(dirname "$0")/lib.sh"
need cmake cmake ctest
need ninja-build ninja
need gcc gcc

write_project() {
    local i
    mkdir -p project
    cat >project/CMakeLists.txt <<-'END'
		cmake_minimum_required(VERSION 3.20)
		project(many C)
		enable_testing()
		set(names "")
		foreach(i RANGE 1 48)
		    list(APPEND names file${i}.c)
		endforeach()
		add_library(many STATIC ${names})
		configure_file(version.h.in version.h @ONLY)
		target_include_directories(many PUBLIC ${CMAKE_CURRENT_BINARY_DIR})
		add_executable(main main.c)
		target_link_libraries(main PRIVATE many)
		add_custom_command(OUTPUT listing.txt COMMAND ${CMAKE_COMMAND} -E cat ${names} > listing.txt DEPENDS ${names}
		    WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} VERBATIM)
		add_custom_target(listing DEPENDS listing.txt)
		foreach(i RANGE 1 20)
		    add_test(NAME run${i} COMMAND main ${i})
		endforeach()
	END
    echo '#define VERSION "@CMAKE_PROJECT_NAME@"' >project/version.h.in
    for i in {1..48}; do
        printf '#include <stdio.h>\n#include "version.h"\n#include "common.h"\n' >"project/file$i.c"
        printf 'int f%d(int n) { char t[64]; return snprintf(t, sizeof t, "%%s %%d", VERSION, n * %d) + STEP; }\n' \
            "$i" "$i" >>"project/file$i.c"
    done
    echo '#define STEP 1' >project/common.h
    {
        echo '#include <stdlib.h>'
        printf 'int f%d(int);\n' {1..48}
        echo 'int main(int c, char** v) { int n = c > 1 ? atoi(v[1]) : 1, s = 0;'
        printf 's += f%d(n);\n' {1..48}
        echo 'return s < 48; }'
    } >project/main.c
}

# The order of finished jobs and the times are the machine's affair; which jobs there were is not.
build() {
    run ninja -C build -j2 >"$1.log" || fail "ninja failed: $(tail -3 "$1.log")"
    sed -E 's/^\[[0-9]+\/[0-9]+\] //' "$1.log" | sort >"result/$1"
}

scenario() {
    write_project
    run cmake -G Ninja -S project -B build -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER=/usr/bin/gcc >result/configure
    sed -i -E 's/ \([0-9.]+s\)$//' result/configure
    build first
    run ninja -C build -t commands >result/commands
    echo '#define STEP 2' >project/common.h
    build second
    build third
    run ctest --test-dir build -j2 >ctest.log || fail "ctest failed: $(tail -5 ctest.log)"
    grep -oE 'run[0-9]+ .*Passed' ctest.log | tr -d . | sort >result/ctest
    cp build/build.ninja build/main build/libmany.a result
    check_traces cmake ninja ctest cc1 as ld main
}

compare_with_glibc scenario
