#!/usr/bin/env bash
# Redis: four clients load keys of every type at once, deletions and a flush in between free memory on redis' own
# threads; SAVE, BGSAVE (a fork that allocates), DEBUG RELOAD and a restart must all keep the same digest of all keys.
source "$(dirname "$0")/lib.sh"
need redis-server redis-server
need redis-tools redis-cli

# Debian's redis links jemalloc; libc first in the look-up order makes the other side glibc indeed.
glibc_preload=libc.so.6

cli() {
    redis-cli -e -s "$PWD/redis.sock" "$@"
}

start_redis() {
    start redis redis-server --port 0 --unixsocket "$PWD/redis.sock" --dir "$PWD" --dbfilename dump.rdb --save '' \
        --enable-debug-command local --io-threads 3 --io-threads-do-reads yes --lazyfree-lazy-user-del yes
    redis=$started
    wait_for "redis to answer" "$redis" cli ping
    check_mapped redis "$redis"
}

bgsave_ended() {
    cli info persistence | grep rdb_bgsave_in_progress:0
}

# commands CLIENT: the inline commands of one client; clients touch disjoint keys, so their order does not matter.
commands() {
    awk -v c="$1" '
        function text(n,   s) { s = sprintf("%d:%d;", c, n); while (length(s) < n) s = s s; return substr(s, 1, n) }
        BEGIN {
            for (i = 0; i < 12000; i++) {
                print "SET str:" c ":" i " " text(i % 700 + 1)
                if (i % 3 == 0) print "APPEND str:" c ":" i " " text(i % 90 + 1)
                if (i % 4 == 0) print "DEL str:" c ":" i - 800
                if (i % 5 == 0) print "PEXPIREAT str:" c ":" i " 40000000" 10000 + i
                print "HSET hash:" c ":" i % 150 " field:" i " " text(i % 120 + 1)
                print "RPUSH list:" c ":" i % 60 " " text(i % 300 + 1)
                if (i % 7 == 0) print "LPOP list:" c ":" i % 60
                print "SADD ints:" c ":" i % 40 " " i
                print "SADD set:" c ":" i % 80 " " text(i % 40 + 1)
                print "ZADD zset:" c ":" i % 50 " " i % 977 " member:" i
                print "XADD stream:" c ":" i % 20 " " i + 1 "-0 name " text(i % 50 + 1)
                print "PFADD hll:" c ":" i % 10 " " i
                if (i % 6 == 0) print "SETBIT bits:" c ":" i % 5 " " i * 37 " 1"
                if (i % 9 == 0) print "GEOADD geo:" c " " i % 180 " " i % 80 " place:" i
                if (i % 400 == 0) print "SET big:" c ":" i " " text(50000)
            }
        }'
}

scenario() {
    local client clients=()
    start_redis
    # Something to throw away first: freed by the lazyfree thread.
    cli debug populate 50000 junk 300 >/dev/null
    cli flushall async >/dev/null
    for client in 1 2 3 4; do
        commands "$client" | cli --pipe >"load-$client.log" 2>&1 &
        clients+=($!)
    done
    for client in "${clients[@]}"; do wait "$client"; done
    grep -h 'errors:' load-?.log | sort >result/load

    cli dbsize >result/dbsize
    cli debug digest >result/digest
    cli save >result/save
    cli debug reload >result/reload
    cli debug digest >result/digest-reloaded
    cli bgsave >/dev/null
    wait_for "BGSAVE to end" "$redis" bgsave_ended
    cli info persistence | tr -d '\r' | grep '^rdb_last_bgsave_status:' >result/bgsave
    stop redis "$redis" TERM

    start_redis
    cli debug digest >result/digest-restarted
    cli --raw xlen stream:1:1 >result/xlen
    cli --raw zrange zset:2:7 0 -1 withscores >result/zrange
    cli --raw hgetall hash:3:9 | paste - - | sort >result/hash
    stop redis "$redis" TERM

    cmp result/digest result/digest-reloaded
    cmp result/digest result/digest-restarted
    redis-check-rdb dump.rdb >check-rdb.log
}

compare_with_glibc scenario
