#!/usr/bin/env bash
# nginx: two workers serve files, compressed, proxied, filtered and included content to wrk, which checks every body;
# before, after, and again after a reload, every URL must give the very bytes it gives on glibc.
source "$(dirname "$0")/lib.sh"
need nginx nginx
need wrk wrk
need curl curl

write_site() {
    local size
    mkdir -p site tmp
    for size in 0 1 100 4096 70000 1000000 3000000; do
        awk -v n="$size" 'BEGIN { while (n > 0) { s = n "\n"; s = substr(s, 1, n); printf "%s", s; n -= length(s) } }' \
            >"site/$size.txt"
    done
    echo '<p><!--#include virtual="/100.txt" --><!--#include virtual="/upstream/4096.txt" --></p>' >site/parts.shtml
    find site -exec touch -d @1000000000 {} +
}

write_conf() {
    # Started as root, nginx gives its workers another user.
    [[ $(id -u) != 0 ]] || echo "user nobody nogroup;"
    cat <<END
daemon off;
worker_processes 2;
pid $PWD/nginx.pid;
error_log $PWD/error.log notice;
events { worker_connections 512; }
http {
    access_log $PWD/access.log combined buffer=16k;
    client_body_temp_path tmp/body;
    proxy_temp_path tmp/proxy;
    fastcgi_temp_path tmp/fastcgi;
    uwsgi_temp_path tmp/uwsgi;
    scgi_temp_path tmp/scgi;
    proxy_buffers 16 8k;
    server_tokens off;
    keepalive_requests 200;
    root $PWD/site;
    gzip on;
    gzip_comp_level 4;
    gzip_proxied any;
    gzip_types text/plain;
    add_header X-Uri \$uri always;
    server {
        listen 127.0.0.1:$1;
        location = /who { return 200 "$PWD"; }
        location /upstream/ { proxy_pass http://unix:$PWD/upstream.sock:/; }
        location /filtered/ {
            alias $PWD/site/;
            sub_filter_types text/plain;
            sub_filter_once off;
            sub_filter 99 ninety-nine;
        }
        location ~ ^/rewritten/(\d+)\$ { rewrite ^/rewritten/(\d+)\$ /\$1.txt last; }
        location ~ \.shtml\$ { ssi on; }
    }
    server {
        listen unix:$PWD/upstream.sock;
        location / { try_files \$uri =404; }
    }
}
END
}

# The port may be taken before nginx binds it: then another one.
start_nginx() {
    for _ in {1..5}; do
        port=$(free_port)
        write_conf "$port" >nginx.conf
        rm -f error.log
        start nginx nginx -p "$PWD" -e error.log -c nginx.conf
        nginx=$started
        while kill -0 "$nginx" 2>/dev/null; do
            [[ $(curl -s "http://127.0.0.1:$port/who") != "$PWD" ]] || return 0
            sleep 0.05
        done
        grep -q 'bind() .* failed (98: ' error.log || fail "nginx ended: $(tail -1 error.log)"
    done
    fail "no port to be had"
}

urls() {
    printf '/%s\n' {0,1,100,4096,70000,1000000,3000000}.txt upstream/{0,1,100,70000,3000000}.txt \
        filtered/{100,4096,1000000}.txt rewritten/4096 parts.shtml missing upstream/missing
}

# fetch_all FILE: what every URL gives: status and checksum, plain, unpacked from gzip and as a range.
fetch_all() {
    local url how
    for url in $(urls); do
        for how in "" --compressed "--range 50-60000"; do
            # shellcheck disable=SC2086 # several words
            curl -s $how -o body -w "$url $how %{http_code} %{content_type} " "http://127.0.0.1:$port$url"
            sha256sum <body
        done
    done >"$1"
}

# two_workers [OLD…]: reads the pids of the workers; succeeds once there are two, and they are not the old ones.
two_workers() {
    read -r -a workers < <(children_of "$nginx")
    [[ ${#workers[@]} == 2 && ${workers[*]} != "$*" ]]
}

scenario() {
    local workers=()
    write_site
    start_nginx
    wait_for "both workers" "$nginx" two_workers
    check_mapped nginx "$nginx" "${workers[@]}"
    fetch_all result/before
    wrk -t 2 -c 60 -d 4s --timeout 60s -s "$test_dir/nginx.lua" "http://127.0.0.1:$port" -- "$PWD/site" >wrk.log 2>&1
    grep '^checked: ' wrk.log >result/wrk
    fetch_all result/after

    kill -HUP "$nginx"
    wait_for "the new workers" "$nginx" two_workers "${workers[@]}"
    check_mapped nginx "${workers[@]}"
    fetch_all result/reloaded
    stop nginx "$nginx" QUIT

    cmp result/before result/after
    cmp result/before result/reloaded
    ! grep -E '\[(alert|emerg|crit|error)\]' error.log | grep -v 'No such file or directory' ||
        fail "nginx complained, see above"
}

compare_with_glibc scenario
