#!/bin/bash
# The root script ./lowtide and packaging/: tried on a project of one file, with a stand-in for apt-get.
#
#   scripts_test.sh PROJECT
set -u

project=$1
failures=0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

expect() { # WHAT, then a condition as a command
    local what=$1
    shift
    if "$@"; then
        echo "ok: $what"
    else
        echo "FAILED: $what"
        failures=$((failures + 1))
    fi
}

contains() { grep -qF -- "$2" "$1"; }
is_empty() { [[ ! -s $1 ]]; }
equals() { [[ $1 == "$2" ]]; }

# A project with what the scripts rely on: a preset, the folders src and tools, build/release/bin/lowtide.
make_project() {
    mkdir -p "$1/src" "$1/tools"
    cp -r "$project/lowtide" "$project/packaging" "$1"
    printf 'cmake  # group: build, builds\n' >"$1/packaging/packages.txt"
    cat >"$1/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(standin C)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
add_subdirectory(src)
add_subdirectory(tools)
END
    cat >"$1/CMakePresets.json" <<'END'
{ "version": 6, "configurePresets": [
    { "name": "release", "generator": "Ninja", "binaryDir": "${sourceDir}/build/${presetName}" } ] }
END
    echo >"$1/src/CMakeLists.txt"
    cat >"$1/tools/CMakeLists.txt" <<'END'
file(GLOB sources CONFIGURE_DEPENDS *.c)
add_executable(lowtide ${sources})
END
    cat >"$1/tools/main.c" <<'END'
#include <stdio.h>
#include <string.h>
int main(int argc, char** argv) {
    char line[80] = "";
    printf("edition 1, %d arguments, last %s, input %s\n", argc - 1, argv[argc - 1], fgets(line, sizeof line, stdin));
    return 7;
}
END
}

run() { # PROJECT ARGUMENT...: sets status; stdout and stderr are in files
    local script=$1/lowtide
    shift
    printf 'hello' | "$script" "$@" >"$folder/out" 2>"$folder/err"
    status=${PIPESTATUS[1]}
}

first_use_builds_and_is_the_command() {
    run "$folder/p" run 'a b' ''
    expect "the exit status is the command's" equals "$status" 7
    expect "stdout is the command's alone" \
        equals "$(cat "$folder/out")" "edition 1, 3 arguments, last , input hello"
    expect "progress is on stderr" contains "$folder/err" "lowtide: building the preset release"
}

second_use_is_silent() {
    run "$folder/p" x
    expect "nothing is said where nothing is to be done" is_empty "$folder/err"
}

a_newer_source_is_built() {
    sed -i 's/edition 1/edition 2/' "$folder/p/tools/main.c"
    run "$folder/p" x
    expect "the new source was built" contains "$folder/out" "edition 2"
}

any_folder_and_a_link_will_do() {
    ln -s "$folder/p/lowtide" "$folder/link"
    (cd / && echo hello | "$folder/link" x >"$folder/out")
    expect "a link from another folder works" contains "$folder/out" "edition 2"
}

a_failed_build_ends_with_125_and_names_the_log() {
    cp "$folder/p/tools/main.c" "$folder/good.c"
    echo 'int main(void) { return wrong; }' >"$folder/p/tools/main.c"
    run "$folder/p" x
    expect "a failed build ends with 125" equals "$status" 125
    expect "the log is named" contains "$folder/err" "the build failed; its log: $folder/p/build/release/build.log"
    expect "the log has the error" contains "$folder/p/build/release/build.log" "wrong"
    expect "stdout is empty" is_empty "$folder/out"
    cp "$folder/good.c" "$folder/p/tools/main.c"
}

closed_descriptors_are_the_programs_affair() {
    "$folder/p/lowtide" x </dev/null >&- 2>&-
    expect "without stdout and stderr the command is started" equals $? 7
    "$folder/p/lowtide" x <&- >&- 2>&-
    expect "nor is stdin needed" equals $? 7
}

two_at_once_take_turns() {
    make_project "$folder/q"
    local one two
    "$folder/q/lowtide" one >"$folder/one" 2>"$folder/one.err" </dev/null &
    one=$!
    "$folder/q/lowtide" two >"$folder/two" 2>"$folder/two.err" </dev/null &
    two=$!
    wait "$one"
    expect "the first of two works" equals $? 7
    wait "$two"
    expect "the second of two works" equals $? 7
    expect "only one of them built" \
        equals "$(cat "$folder/one.err" "$folder/two.err" | grep -c 'building the preset')" 1
}

# apt-get and dpkg-query of its own: a package is there if it is named in the file `installed`.
make_debian() {
    mkdir -p "$folder/debian"
    : >"$folder/installed"
    cat >"$folder/debian/dpkg-query" <<END
#!/bin/bash
grep -qx -- "\${*: -1}" "$folder/installed" && echo -n installed
END
    cat >"$folder/debian/apt-get" <<END
#!/bin/bash
echo "apt-get \$*" >>"$folder/calls"
[[ "\$*" == *install* ]] || exit 0
[[ -e "$folder/broken" ]] && exit 100
for word; do [[ \$word == -* ]] || echo "\$word"; done >>"$folder/installed"
END
    printf '#!/bin/bash\n' >"$folder/debian/sleep"
    chmod +x "$folder/debian/"*
    mkdir -p "$folder/list"
    cp "$project/packaging/install-packages" "$folder/list"
    printf '%s\n' '# a comment' 'alpha  # group: build, first' 'beta # group: test, second' \
        'gamma # group: bench|test, third' 'delta # group: programs, not a test' \
        'epsilon # group: test-more|bench-more, of groups whose names begin like others' >"$folder/list/packages.txt"
}

install() {
    : >"$folder/calls"
    PATH=$folder/debian:$PATH "$folder/list/install-packages" "$@" >"$folder/out" 2>"$folder/err"
    status=$?
}

policy() { ls -l /usr/sbin/policy-rc.d 2>&1; }

missing_packages_are_installed_once() {
    local policy_before
    policy_before=$(policy)
    install build test
    expect "installing succeeds" equals "$status" 0
    expect "exactly the groups' packages are installed" contains "$folder/calls" "recommends alpha beta gamma"
    expect "nothing of another group" equals "$(grep -cE 'delta|epsilon' "$folder/calls")" 0
    expect "stdout is empty" is_empty "$folder/out"
    expect "the machine's own policy for services is as before" equals "$(policy)" "$policy_before"
    install build test
    expect "nothing is installed twice" is_empty "$folder/calls"
    expect "and nothing is said" is_empty "$folder/err"
    install bench-more
    expect "a group's name may have two parts" contains "$folder/calls" "recommends epsilon"
}

a_failure_is_tried_again_and_told() {
    touch "$folder/broken"
    install programs
    expect "a failure is told" equals "$status" 1
    expect "with the packages" contains "$folder/err" "cannot install: delta"
    expect "after three attempts" equals "$(grep -c ' install ' "$folder/calls")" 3
}

without_root_and_sudo_it_is_said_what_to_do() {
    local tool
    mkdir -p "$folder/few"
    for tool in dirname readlink sed sort grep; do
        ln -s "$(command -v "$tool")" "$folder/few/$tool"
    done
    ln -s "$folder/debian/dpkg-query" "$folder/few/dpkg-query"
    printf '#!/bin/bash\necho 1000\n' >"$folder/few/id"
    chmod +x "$folder/few/id"
    PATH=$folder/few /bin/bash "$folder/list/install-packages" programs >"$folder/out" 2>"$folder/err"
    expect "without root it fails" equals $? 1
    expect "and says what to do" contains "$folder/err" "as root:  apt-get install delta"
}

make_project "$folder/p"
first_use_builds_and_is_the_command
second_use_is_silent
a_newer_source_is_built
any_folder_and_a_link_will_do
closed_descriptors_are_the_programs_affair
a_failed_build_ends_with_125_and_names_the_log
two_at_once_take_turns
make_debian
without_root_and_sudo_it_is_said_what_to_do
if [[ $(id -u) -eq 0 ]]; then
    missing_packages_are_installed_once
    a_failure_is_tried_again_and_told
else
    echo "skipped: installing packages, which needs root"
fi
[[ $failures -eq 0 ]]
