// The real programs as benchmarks: servers under load, databases, compilers, interpreters.
#pragma once

#include "runner/benchmark.h"

namespace lowtide::bench {

struct program_settings {
    const supervisor& processes;
    std::filesystem::path witness; // the library of that name: see witness/witness.cpp
    double scale = 1;

    /// So much of `operations`, at least one.
    unsigned share(unsigned operations) const {
        return 1 + static_cast<unsigned>(static_cast<double>(operations) * scale);
    }
};

/// `settings` must outlive them, as for each of the lists below.
benchmark_list program_benchmarks(const program_settings& settings);

void add_redis(benchmark_list& list, const program_settings& settings);
void add_memcached(benchmark_list& list, const program_settings& settings);
void add_nginx(benchmark_list& list, const program_settings& settings);
void add_postgres(benchmark_list& list, const program_settings& settings);
void add_mariadb(benchmark_list& list, const program_settings& settings);
void add_rocksdb(benchmark_list& list, const program_settings& settings);
void add_sqlite(benchmark_list& list, const program_settings& settings);
void add_compiler(benchmark_list& list, const program_settings& settings);
void add_python(benchmark_list& list, const program_settings& settings);
void add_lua(benchmark_list& list, const program_settings& settings);
void add_node(benchmark_list& list, const program_settings& settings);
void add_z3(benchmark_list& list, const program_settings& settings);
void add_ghostscript(benchmark_list& list, const program_settings& settings);

} // namespace lowtide::bench
