#!/bin/bash
# The example server under load by wrk: no error, and its memory doesn't grow with the requests.
#
#   http_server_load.sh SERVER region|malloc
# shellcheck source=server.sh
source "$(dirname "$0")/server.sh"
need wrk

start "$1" --memory "$2" --threads 2
cat >"$folder/bodies.lua" <<'END_OF_LUA'
local body = string.rep("0123456789abcdef", 20000)
request = function() return wrk.format("PUT", "/put", nil, body) end
response = function(status, headers, text)
    if status ~= 200 or text ~= "320000 bytes\n" then print("wrong answer: " .. status .. " " .. text) end
end
END_OF_LUA
resident() { awk '/^VmRSS:/ { print $2 }' "/proc/$server/status"; }

wrk --timeout 60s -t 1 -c 40 -d 2s "http://127.0.0.1:$port/" >"$folder/pages"
before=$(resident)
wrk --timeout 60s -t 1 -c 40 -d 2s "http://127.0.0.1:$port/?rows=100" >>"$folder/pages"
wrk --timeout 60s -t 1 -c 40 -d 2s "http://127.0.0.1:$port/" >>"$folder/pages"
after=$(resident)
cat "$folder/pages"
check "no page fails" 0 "$(grep -cE 'Non-2xx|Socket errors' "$folder/pages")"
check "the memory doesn't grow ($before to $after KiB)" yes "$( ((before > 0 && after < before + 8192)) && echo yes)"
wrk --timeout 60s -t 1 -c 20 -d 2s -s "$folder/bodies.lua" "http://127.0.0.1:$port/" >"$folder/bodies"
check "no body fails" 0 "$(grep -cE 'wrong answer|Non-2xx|Socket errors' "$folder/bodies")"
stop
check "requests were counted" yes "$( (($(value requests) > 1000)) && echo yes)"
finish
