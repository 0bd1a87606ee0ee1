#!/bin/bash
# Installs a build, and has a project of somebody else's find it there: by CMake and by pkg-config.
#
#   installed.sh BUILD SOURCES
set -euo pipefail

build=$1 sources=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

expect() { # WHAT COMMAND...
    local said
    said=$("${@:2}")
    [[ $said == "a region, malloc is Lowtide's" ]] || { echo "$1: $said" >&2; exit 1; }
}

quietly() { "$@" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }; }

quietly cmake --install "$build" --prefix "$work/first"
mv "$work/first" "$work/moved" # nothing in it may know where it was
pc=$(find "$work/moved" -name lowtide.pc)
lib=$(dirname "$(dirname "$pc")")

quietly cmake -S "$sources" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/moved"
quietly cmake --build "$work/build"
expect "found by CMake, shared" "$work/build/shared"
expect "found by CMake, static" "$work/build/static"

export PKG_CONFIG_PATH=${pc%/*}
# shellcheck disable=SC2046 # words are what is wanted
c++ -std=c++20 "$sources/uses.cpp" -o "$work/uses" $(pkg-config --cflags --libs lowtide) "-Wl,-rpath,$lib"
expect "found by pkg-config" "$work/uses"
[[ $(pkg-config --modversion lowtide) == "$("$work/moved/bin/lowtide" --version | cut -d' ' -f2)" ]]

for file in bin/lowtide share/man/man1/lowtide-stat.1 share/man/man3/lowtide_region_create.3 include/lowtide/region.hpp; do
    [[ -e $work/moved/$file ]] || { echo "$file is not installed" >&2; exit 1; }
done
# What was installed runs programs on what was installed.
expect "the command" env -u LOWTIDE_LIB "$work/moved/bin/lowtide" run -- "$work/build/shared"
