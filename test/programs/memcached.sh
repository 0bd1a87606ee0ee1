#!/usr/bin/env bash
# memcached: four clients at once write thousands of items of all sizes, read every one back and change some; each
# answer, the items left at the end and the server's own statistics must be the same.
source "$(dirname "$0")/lib.sh"
need memcached memcached
need python3 /usr/bin/python3

scenario() {
    local user=()
    # As root it insists on being told whom to become.
    [[ $(id -u) != 0 ]] || user=(-u root)
    start memcached memcached -s "$PWD/memcached.sock" "${user[@]}" -t 4 -m 512 -R 200 -o no_lru_crawler,no_lru_maintainer
    memcached=$started
    wait_for "its socket" "$memcached" test -S memcached.sock
    check_mapped memcached "$memcached"
    /usr/bin/python3 "$test_dir/memcached_client.py" memcached.sock >result/answers
    check_mapped memcached "$memcached"
    stop memcached "$memcached" TERM
}

compare_with_glibc scenario
