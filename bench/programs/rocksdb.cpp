// RocksDB: its own db_bench, in one process with threads that flush and compact. One operation is one key.
#include "programs/batch.h"

#include <fmt/format.h>

namespace lowtide::bench {

namespace {

/// Small buffers and a small cache: blocks come and go, and there is something to compact.
batch db_bench(const std::string& benchmarks, unsigned keys, unsigned passes) {
    return {.program = "db_bench",
            .package = "rocksdb-tools",
            .arguments = {"--benchmarks=" + benchmarks, fmt::format("--num={}", keys), "--db=db",
                          "--value_size=200", "--seed=1", "--disable_wal=true", "--compression_type=none",
                          "--write_buffer_size=4194304", "--cache_size=4194304"},
            .deterministic = false, // it reports times
            .operations = keys * passes};
}

} // namespace

void add_rocksdb(benchmark_list& list, const program_settings& settings) {
    list.push_back(batch_benchmark({"rocksdb/fill", "programs", "RocksDB's db_bench: writes random keys"},
                                   db_bench("fillrandom", settings.share(800'000), 1), settings));
    list.push_back(batch_benchmark(
        {"rocksdb/mix", "programs", "RocksDB's db_bench: fills, reads, updates and seeks"},
        db_bench("fillseq,readrandom,updaterandom,seekrandom", settings.share(150'000), 4), settings));
}

} // namespace lowtide::bench
