// Pairs as C++ makes them: operator new, and the operator delete that is told the size.
#include "pairs.h"

#include <dlfcn.h>

namespace lowtide::bench {
namespace {

/// The allocator's own. One that has none, glibc's, is measured by malloc and free, which a C++ library's
/// operators would call; this program has no such library.
class sized_forms {
public:
    sized_forms() {
        void* const own_new = dlsym(RTLD_DEFAULT, "_Znwm");
        void* const own_delete = dlsym(RTLD_DEFAULT, "_ZdlPvm");
        if (own_new == nullptr || own_delete == nullptr)
            return;
        new_ = reinterpret_cast<new_function*>(own_new);
        delete_ = reinterpret_cast<delete_function*>(own_delete);
    }

    void* obtain(std::size_t size) const { return new_(size); }
    void release(void* object, std::size_t size) const { delete_(object, size); }

private:
    using new_function = void*(std::size_t);
    using delete_function = void(void*, std::size_t);

    static void free_unsized(void* object, std::size_t) { std::free(object); }

    new_function* new_ = std::malloc;
    delete_function* delete_ = free_unsized;
};

constexpr workload list[] = {
    {"sized/64",
     "sized",
     "operator new and the sized operator delete at once, 64 B",
     pairs_of_one_size<sized_forms>,
     {.size = 64, .operations = 40'000'000}},
    {"sized/mixed",
     "sized",
     "the same, each of another size from 16 B to 1 KiB",
     pairs_of_mixed_sizes<sized_forms>,
     {.size = 16, .max_size = 1024, .operations = 40'000'000}},
};

} // namespace

constinit const workload_table sized_workloads = list;

} // namespace lowtide::bench
