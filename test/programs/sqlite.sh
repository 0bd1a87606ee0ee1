#!/usr/bin/env bash
# SQLite: one large deterministic script of SQL on a file and in memory; its output, the database's logical content
# and the very bytes of a vacuumed copy must be the same.
source "$(dirname "$0")/lib.sh"
need sqlite3 sqlite3

scenario() {
    run sqlite3 -batch -bail test.db <"$test_dir/sqlite.sql" >result/output 2>result/errors
    run sqlite3 -batch -bail test.db .dump >dump.sql
    run sqlite3 -batch -bail :memory: '.read dump.sql' 'pragma integrity_check' '.sha3sum' >result/reloaded
    sha256sum <dump.sql >result/dump
    sha256sum <vacuumed.db >result/vacuumed
    check_traces sqlite3
}

compare_with_glibc scenario
