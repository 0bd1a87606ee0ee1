#!/bin/bash
# The example server answers what is right, refuses what is wrong, and outlives clients that are slow or go away.
#
#   http_server.sh SERVER region|malloc
# shellcheck source=server.sh
source "$(dirname "$0")/server.sh"
need curl

start "$1" --memory "$2" --threads 2 --timeout 2
url=http://127.0.0.1:$port

# raw TEXT: sends it and prints what comes until the server closes. TEXT is printf's.
raw() {
    # shellcheck disable=SC2059 # the text is a format
    {
        printf "$1" >&3
        timeout 10 cat <&3
    } 3<>"/dev/tcp/127.0.0.1/$port"
}

# The status lines of all answers, in one line.
statuses() { raw "$1" | grep -ao 'HTTP/1[.]1 [0-9]*' | cut -d ' ' -f 2 | paste -sd' '; }

repeat() { printf "%0.s$2" $(seq "$1"); }

# --- what is right

page=$(curl -s --max-time 10 "$url/tide<?rows=3" -H 'X-Test: a<b')
check "a page has its title" 1 "$(grep -c '^<h1>/tide&lt;?rows=3</h1>$' <<<"$page")"
check "a page has the request's headers" 1 "$(grep -c '^<dt>x-test<dd>a&lt;b$' <<<"$page")"
check "a page has its rows" 3 "$(grep -c '^<dt>row ' <<<"$page")"
check "a page ends" '</dl>' "$(tail -n 1 <<<"$page")"
check "HEAD has GET's length and no body" "$(curl -s "$url/x" | wc -c)" \
    "$(curl -sI "$url/x" | sed -n 's/^Content-Length: \([0-9]*\)\r$/\1/p')"
for bytes in 0 1 5000 2097151 2097152 2097153 16777216; do
    head -c "$bytes" /dev/urandom >"$folder/body"
    curl -s --max-time 20 --data-binary "@$folder/body" -H 'Content-Type: x/y' "$url/echo" >"$folder/echo"
    check "POST gives $bytes bytes back" "$(sha256sum <"$folder/body")" "$(sha256sum <"$folder/echo")"
    check "PUT counts $bytes bytes" "$bytes bytes" "$(curl -s --max-time 20 -T "$folder/body" "$url/put")"
done
check "a connection is kept" 1 \
    "$(curl -sv "$url/1" "$url/2" "$url/3" 2>&1 >/dev/null | grep -c '^[*] Connected to')"

get='GET / HTTP/1.1\r\nHost: h\r\n\r\n'
last='GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n'
check "pipelined requests are all answered" "$(repeat 301 '200 ' | sed 's/ $//')" \
    "$(statuses "$(repeat 300 "$get" | sed 's/\r/\\r/g; s/$/\\n/' | tr -d '\n')$last")"
check "pipelined bodies are taken apart" "200 200 200" \
    "$(statuses 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nGET /PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc'"$last")"
check "HTTP/1.0 closes" 200 "$(statuses 'GET / HTTP/1.0\r\n\r\n')"

# --- what is wrong

check "no request line" 400 "$(statuses 'nonsense\r\n\r\n')"
check "lines without CR" 400 "$(statuses 'GET / HTTP/1.1\nHost: h\n\n')"
check "no host" 400 "$(statuses 'GET / HTTP/1.1\r\n\r\n')"
check "a header without colon" 400 "$(statuses 'GET / HTTP/1.1\r\nHost: h\r\nnonsense\r\n\r\n')"
check "a header of an earlier line" 400 "$(statuses 'GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n')"
check "a header with a blank in its name" 400 "$(statuses 'GET / HTTP/1.1\r\nHost : h\r\n\r\n')"
check "a zero in a value" 400 "$(statuses 'GET / HTTP/1.1\r\nHost: h\0\r\n\r\n')"
check "a length that is none" 400 "$(statuses 'PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n')"
check "two lengths" 400 "$(statuses 'PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n')"
check "a length beside chunks" 400 \
    "$(statuses 'PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n')"
check "chunks" 501 "$(statuses 'PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n')"
check "another method" 405 "$(statuses 'DELETE / HTTP/1.1\r\nHost: h\r\n\r\n')"
check "another version" 505 "$(statuses 'GET / HTTP/2.0\r\nHost: h\r\n\r\n')"
check "another expectation" 417 "$(statuses 'PUT / HTTP/1.1\r\nHost: h\r\nExpect: more\r\n\r\n')"
check "a length beyond all numbers" 413 \
    "$(statuses 'PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999\r\n\r\n')"
head -c 16777217 /dev/zero >"$folder/body"
check "a body that is too large" 413 \
    "$(curl -s --max-time 10 -o /dev/null -w '%{http_code}' -H Expect: --data-binary "@$folder/body" "$url/")"
check "a header that is too large" 431 "$(curl -s -o /dev/null -w '%{http_code}' -H "A: $(repeat 9000 a)" "$url/")"
check "101 headers" 431 "$(statuses "GET / HTTP/1.1\\r\\n$(repeat 101 'A: b\\r\\n')\\r\\n")"
check "what follows an error is not a request" 400 "$(statuses 'nonsense\r\n\r\n'"$last")"

# --- clients that are slow or go away

# A head in pieces has the time of one, however often a piece comes.
begin=$SECONDS
(
    printf 'GET / HTTP/1.1\r\n' >&3
    for _ in {1..20}; do
        printf 'A: b\r\n' >&3 || break
        sleep 0.3
    done 2>/dev/null
) 3<>"/dev/tcp/127.0.0.1/$port"
check "the slow one doesn't hold up others" 200 "$(curl -s -o /dev/null -w '%{http_code}' "$url/")"
check "an endless head is given up" yes "$( ((SECONDS - begin < 9)) && echo yes)"
for _ in {1..20}; do # bodies that never come to their end
    printf 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 16000000\r\n\r\nabc' >"/dev/tcp/127.0.0.1/$port"
done
for _ in {1..20}; do # answers that nobody reads
    exec 4<>"/dev/tcp/127.0.0.1/$port"
    printf 'GET /?rows=1000 HTTP/1.1\r\nHost: h\r\n\r\n%.0s' {1..100} >&4
    exec 4>&-
done
check "and it still answers" 200 "$(curl -s -o /dev/null -w '%{http_code}' "$url/")"
exec 4<>"/dev/tcp/127.0.0.1/$port" # open at the end, with half a body read
printf 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5000000\r\n\r\nabc' >&4
sleep 0.1

stop
check "it had the memory that was asked for" "$2" "$(value memory)"
finish
