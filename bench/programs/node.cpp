// Node.js: V8 has a heap of its own, but what a buffer holds and what zlib works with is malloc's. One
// operation is one round of the script.
#include "programs/batch.h"

#include <fmt/format.h>

namespace lowtide::bench {

namespace {

/// Documents to JSON and back, maps, compression, and buffers that live for long after V8 has moved on.
constexpr const char* script = R"(
'use strict';
const crypto = require('crypto');
const zlib = require('zlib');

const sum = crypto.createHash('md5');
const kept = [];

function documents(round) {
    const list = Array.from({ length: 1000 }, (_, i) => ({ id: i, name: `item ${round}/${i * 7919 % 1009}`,
        values: [i * 1.5, i % 7, null], nested: { text: 'x'.repeat(i % 200) } }));
    const text = JSON.stringify(list);
    const map = new Map();
    for (const each of JSON.parse(text)) map.set(each.name, (map.get(each.name) || 0) + each.id);
    sum.update([...map].sort().join());
    sum.update(zlib.gunzipSync(zlib.gzipSync(Buffer.from(text), { level: 1 })));
}

function buffers(round) {
    for (let i = 0; i < 300; i++) kept.push(Buffer.alloc((i * 37 + round * 101) % 20000 + 4500, `${i};`));
    while (kept.length > 1500) sum.update(kept.splice(kept.length * 31 % 1499, 1)[0]);
}

for (let round = 1; round <= Number(process.argv[2]); round++) {
    documents(round);
    buffers(round);
}
console.log(sum.digest('hex'));
)";

} // namespace

void add_node(benchmark_list& list, const program_settings& settings) {
    const unsigned rounds = settings.share(200);
    list.push_back(batch_benchmark({"node/script", "programs", "Node.js: JSON, maps, buffers, compression"},
                                   {.program = "node",
                                    .package = "nodejs",
                                    .arguments = {"script.js", fmt::format("{}", rounds)},
                                    .files = {{"script.js", script}},
                                    .operations = rounds},
                                   settings));
}

} // namespace lowtide::bench
