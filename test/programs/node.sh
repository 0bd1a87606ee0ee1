#!/usr/bin/env bash
# Node.js: JSON, buffers, compression and hashing on libuv's threads, streams, worker threads that come and go, child
# processes; no module but node's own. The output must be the same.
source "$(dirname "$0")/lib.sh"
need nodejs node

scenario() {
    run node "$test_dir/node.js" >result/output 2>result/errors
    check_traces node
}

compare_with_glibc scenario
