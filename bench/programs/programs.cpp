// See programs.h.
#include "programs/programs.h"

namespace lowtide::bench {

benchmark_list program_benchmarks(const program_settings& settings) {
    benchmark_list list;
    add_redis(list, settings);
    add_postgres(list, settings);
    add_sqlite(list, settings);
    add_compiler(list, settings);
    return list;
}

} // namespace lowtide::bench
