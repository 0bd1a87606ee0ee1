#!/usr/bin/env bash
# Java: javac compiles a threaded program, the virtual machine runs it: direct buffers, compression, many threads that
# start and end, collections. Classes and output must be the same.
source "$(dirname "$0")/lib.sh"
need openjdk-17-jdk-headless javac java

# Bounded whatever the machine has, and no files in the temporary directory.
jvm=(-Xmx256m -XX:MaxDirectMemorySize=256m -XX:-UsePerfData)

scenario() {
    run javac -J-Xmx256m -J-XX:-UsePerfData -d result/classes "$test_dir/Tide.java" >result/javac 2>&1
    run java "${jvm[@]}" -cp result/classes Tide >result/output 2>result/errors
    check_traces javac java
}

compare_with_glibc scenario
