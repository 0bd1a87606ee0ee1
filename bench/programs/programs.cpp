// See programs.h.
#include "programs/programs.h"

namespace lowtide::bench {

benchmark_list program_benchmarks(const program_settings& settings) {
    benchmark_list list;
    add_redis(list, settings);
    add_memcached(list, settings);
    add_nginx(list, settings);
    add_postgres(list, settings);
    add_mariadb(list, settings);
    add_rocksdb(list, settings);
    add_sqlite(list, settings);
    add_compiler(list, settings);
    add_python(list, settings);
    add_lua(list, settings);
    add_node(list, settings);
    add_z3(list, settings);
    add_ghostscript(list, settings);
    return list;
}

} // namespace lowtide::bench
