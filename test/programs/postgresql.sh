#!/usr/bin/env bash
# PostgreSQL: initdb, pgbench -i, a pgbench run of four clients and a set of analytic queries with parallel workers,
# all as an unprivileged user; the final contents of every table and every query's answer must be the same.
source "$(dirname "$0")/lib.sh"
need util-linux setpriv

# Debian keeps the server's programs off the PATH, a directory for each version.
pg_bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -1)
need postgresql-15 "$pg_bin/initdb" "$pg_bin/postgres" "$pg_bin/pgbench"
need postgresql-client-15 psql

# The server refuses to run as root.
if [[ $(id -u) == 0 ]]; then
    as_user=(setpriv --reuid=nobody --regid=nogroup --clear-groups --)
fi

# The clients are given no library: the program under test is the server.
client() {
    local program=$1
    shift
    PGOPTIONS='-c client_min_messages=warning' "$pg_bin/$program" -h "$PWD" -U lowtide "$@" postgres
}

sql() {
    client psql -X -q -At -v ON_ERROR_STOP=1 "$@"
}

start_postgres() {
    start postgres "$pg_bin/postgres" -D "$PWD/data" -k "$PWD" -c listen_addresses= -c fsync=off \
        -c shared_buffers=32MB -c work_mem=1MB -c max_parallel_workers_per_gather=2 -c jit=on -c jit_above_cost=50000
    postgres=$started
    wait_for "postgres to answer" "$postgres" sql -c 'select 1'
    # The postmaster, its own processes and a backend; the backend lives as long as psql asks about it.
    check_mapped postmaster "$postgres"
    sql >backend.log <<-'END' || fail "no backend to look at: $(cat backend.log)"
		\o backend-pid
		select pg_backend_pid();
		\o
		\! grep -o '/[^ ]*liblowtide.so' "/proc/$(cat backend-pid)/maps" | sort -u
	END
    case $side in
        lowtide) [[ $(<backend.log) == "$scratch/liblowtide.so" ]] || fail "a backend runs without the library" ;;
        glibc) [[ ! -s backend.log ]] || fail "a backend has the library mapped in the run on glibc" ;;
    esac
}

# Everything but the history's times and row order is decided by the seed, whatever the clients' interleaving.
checksums() {
    sql <<-'END'
		select 'accounts', count(*), sum(abalance), md5(string_agg(a::text, ',' order by aid)) from pgbench_accounts a;
		select 'branches', count(*), md5(string_agg(b::text, ',' order by bid)) from pgbench_branches b;
		select 'tellers', count(*), md5(string_agg(t::text, ',' order by tid)) from pgbench_tellers t;
		select 'history', count(*), md5(string_agg(h, ',' order by h))
		    from (select format('%s %s %s %s', tid, bid, aid, delta) as h from pgbench_history) as rows;
	END
}

scenario() {
    # LD_PRELOAD is inherited by the postgres processes that initdb starts.
    if [[ ${#as_user[@]} -gt 0 ]]; then
        chown nobody:nogroup . traces
    fi
    run "$pg_bin/initdb" -D "$PWD/data" -U lowtide -A trust -E UTF8 --no-locale --no-sync \
        >initdb.log 2>&1
    check_traces initdb postgres

    start_postgres
    client pgbench -i -q -s 2 >pgbench-init.log 2>&1
    checksums >result/initial
    client pgbench --random-seed=7 -c 4 -j 2 -t 1500 >pgbench.log 2>&1
    grep '^number of transactions actually processed' pgbench.log >result/pgbench
    checksums >result/after-run
    sql -f "$test_dir/postgresql.sql" >result/queries
    stop postgres "$postgres" INT

    start_postgres
    checksums >result/after-restart
    stop postgres "$postgres" INT
    cmp result/after-run result/after-restart
}

compare_with_glibc scenario
