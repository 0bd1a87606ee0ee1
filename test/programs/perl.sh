#!/usr/bin/env bash
# Perl: big hashes, regular expressions, sorting, fork with pipes, interpreter threads; the output must be the same.
source "$(dirname "$0")/lib.sh"
need perl perl
# The same order of hash keys on both sides, and not only where they are sorted.
export PERL_HASH_SEED=0 PERL_PERTURB_KEYS=0

scenario() {
    run perl "$test_dir/perl.pl" >result/output 2>result/errors
    check_traces perl
}

compare_with_glibc scenario
