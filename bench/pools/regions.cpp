// Many objects that are freed together: regions, APR's pools, the standard library's monotonic resource, and
// malloc with a free for each. And `bump`, the floor: addresses in one block that is always there.
//
// A contender is a class for what outlives a round, and in it `arena`, which lives for one round; both are
// local variables, so that the compiler knows all it could ever know of them.
#include "pools.h"

#include "../workloads/objects.h"
#include "../workloads/table.h"
#include "lowtide/region.h"

#include <cstring>
#include <memory_resource>
#include <string>
#ifdef LOWTIDE_BENCH_APR
#include <apr_general.h>
#include <apr_pools.h>
#endif

namespace lowtide::bench {
namespace {

constexpr std::size_t smallest = 16;
constexpr std::size_t largest = 512;
constexpr std::size_t request_objects = 20;

// ---- the contenders

lowtide_region* make_region(lowtide_region* parent, unsigned warm_chunks) {
    lowtide_region_options options{};
    options.size = sizeof options;
    options.warm_chunks = warm_chunks;
    lowtide_region* const made = lowtide_region_create(parent, &options);
    if (made == nullptr)
        give_up("no region");
    return made;
}

/// A region for each round, the child of one that stays.
class lowtide_created {
public:
    explicit lowtide_created(std::size_t) {}
    ~lowtide_created() { lowtide_region_destroy(parent_); }

    class arena {
    public:
        explicit arena(lowtide_created& of) : region_(make_region(of.parent_, 0)) {}
        ~arena() { lowtide_region_destroy(region_); }
        void* allocate(std::size_t size) { return lowtide_region_alloc(region_, size); }

    private:
        lowtide_region* region_;
    };

private:
    lowtide_region* parent_ = make_region(nullptr, 0);
};

/// One region, which keeps its chunks.
class lowtide_reset {
public:
    explicit lowtide_reset(std::size_t) {}
    ~lowtide_reset() { lowtide_region_destroy(region_); }

    class arena {
    public:
        explicit arena(lowtide_reset& of) : region_(of.region_) {}
        ~arena() { lowtide_region_reset(region_); }
        void* allocate(std::size_t size) { return lowtide_region_alloc(region_, size); }

    private:
        lowtide_region* region_;
    };

private:
    lowtide_region* region_ = make_region(nullptr, 1'000'000);
};

#ifdef LOWTIDE_BENCH_APR
/// With an allocator of its own and no mutex, as Apache's workers have it; it keeps what is freed.
class apr_parent {
public:
    apr_parent() {
        apr_initialize();
        apr_allocator_t* allocator = nullptr;
        if (apr_allocator_create(&allocator) != APR_SUCCESS ||
            apr_pool_create_ex(&pool_, nullptr, nullptr, allocator) != APR_SUCCESS)
            give_up("no APR pool");
        apr_allocator_owner_set(allocator, pool_);
    }
    ~apr_parent() {
        apr_pool_destroy(pool_);
        apr_terminate();
    }
    [[nodiscard]] apr_pool_t* make_child() const {
        apr_pool_t* made = nullptr;
        if (apr_pool_create(&made, pool_) != APR_SUCCESS)
            give_up("no APR pool");
        return made;
    }

private:
    apr_pool_t* pool_ = nullptr;
};

/// A pool for each round.
class apr_created {
public:
    explicit apr_created(std::size_t) {}

    class arena {
    public:
        explicit arena(apr_created& of) : pool_(of.parent_.make_child()) {}
        ~arena() { apr_pool_destroy(pool_); }
        void* allocate(std::size_t size) { return apr_palloc(pool_, size); }

    private:
        apr_pool_t* pool_;
    };

private:
    apr_parent parent_;
};

/// One pool, cleared.
class apr_cleared {
public:
    explicit apr_cleared(std::size_t) {}

    class arena {
    public:
        explicit arena(apr_cleared& of) : pool_(of.pool_) {}
        ~arena() { apr_pool_clear(pool_); }
        void* allocate(std::size_t size) { return apr_palloc(pool_, size); }

    private:
        apr_pool_t* pool_;
    };

private:
    apr_parent parent_;
    apr_pool_t* pool_ = parent_.make_child();
};
#endif

/// A resource for each round, on operator new.
class pmr_created {
public:
    explicit pmr_created(std::size_t) {}

    class arena {
    public:
        explicit arena(pmr_created&) {}
        void* allocate(std::size_t size) { return resource_.allocate(size); }

    private:
        static constexpr std::size_t first_chunk = 4096; // as regions have it
        std::pmr::monotonic_buffer_resource resource_{first_chunk};
    };
};

/// On a buffer that stays and is as large as need be.
class pmr_on_buffer {
public:
    explicit pmr_on_buffer(std::size_t bytes) : buffer_(bytes), bytes_(bytes) {}

    class arena {
    public:
        explicit arena(pmr_on_buffer& of)
            : resource_(&of.buffer_[0], of.bytes_, std::pmr::null_memory_resource()) {}
        void* allocate(std::size_t size) { return resource_.allocate(size); }

    private:
        std::pmr::monotonic_buffer_resource resource_;
    };

private:
    table<char> buffer_;
    std::size_t bytes_;
};

class freed_each {
public:
    explicit freed_each(std::size_t bytes) : objects_(bytes / smallest) {}

    class arena {
    public:
        explicit arena(freed_each& of) : objects_(&of.objects_[0]) {}
        ~arena() {
            for (std::size_t i = 0; i < count_; ++i)
                std::free(objects_[i]);
        }
        void* allocate(std::size_t size) { return objects_[count_++] = std::malloc(size); }

    private:
        void** objects_;
        std::size_t count_ = 0;
    };

private:
    table<void*> objects_;
};

class bump {
public:
    explicit bump(std::size_t bytes) : buffer_(bytes) {}

    class arena {
    public:
        explicit arena(bump& of) : next_(&of.buffer_[0]) {}
        void* allocate(std::size_t size) {
            char* const object = next_;
            next_ += (size + 15) & ~std::size_t{15};
            return object;
        }

    private:
        char* next_;
    };

private:
    table<char> buffer_;
};

// ---- the workloads

enum class writing { first_word, all };

class sizes {
public:
    explicit sizes(std::size_t count) : all_(count), count_(count) {
        random_numbers random(1);
        const size_range range(smallest, largest);
        for (std::size_t i = 0; i < count; ++i) {
            all_[i] = static_cast<std::uint16_t>(range.draw(random));
            bytes_ += all_[i] + smallest;
        }
    }
    [[nodiscard]] std::size_t operator[](std::size_t i) const { return all_[i]; }
    [[nodiscard]] std::size_t count() const { return count_; }
    /// Enough for all of them, however they are aligned.
    [[nodiscard]] std::size_t bytes() const { return bytes_; }

private:
    mutable table<std::uint16_t> all_;
    std::size_t count_;
    std::size_t bytes_ = 4096;
};

template <writing Write, class Arena>
void fill(Arena& arena, const sizes& of, std::size_t begin, std::size_t count) {
    for (std::size_t i = begin; i < begin + count; ++i) {
        const std::size_t size = of[i];
        void* const object = arena.allocate(size);
        if constexpr (Write == writing::all)
            std::memset(object, 1, size);
        else
            *static_cast<std::uint64_t*>(object) = size;
        keep(object);
    }
}

template <class Contender, writing Write>
void many(benchmark::State& state) {
    const sizes all(static_cast<std::size_t>(state.range(0)));
    Contender contender(all.bytes());
    for ([[maybe_unused]] auto round : state) {
        typename Contender::arena arena(contender);
        fill<Write>(arena, all, 0, all.count());
    }
    count_objects(state, all.count());
}

/// As a server has it: a region for each request, with 20 objects.
template <class Contender>
void request(benchmark::State& state) {
    const sizes all(1000 * request_objects);
    Contender contender(all.bytes());
    std::size_t begin = 0;
    for ([[maybe_unused]] auto round : state) {
        typename Contender::arena arena(contender);
        fill<writing::first_word>(arena, all, begin, request_objects);
        begin = begin + request_objects == all.count() ? 0 : begin + request_objects;
    }
    count_objects(state, 1);
}

template <class Contender>
void add(const std::string& name) {
    for (const long count : {1'000, 100'000}) {
        const std::string many_name = "region/" + std::to_string(count);
        benchmark::RegisterBenchmark((many_name + "/first-word/" + name).c_str(),
                                     many<Contender, writing::first_word>)
            ->Arg(count);
        benchmark::RegisterBenchmark((many_name + "/all/" + name).c_str(), many<Contender, writing::all>)
            ->Arg(count);
    }
    benchmark::RegisterBenchmark(("region/request/" + name).c_str(), request<Contender>);
}

} // namespace

void add_regions() {
    add<lowtide_created>("lowtide");
    add<lowtide_reset>("lowtide-reset");
#ifdef LOWTIDE_BENCH_APR
    add<apr_created>("apr");
    add<apr_cleared>("apr-clear");
#endif
    add<pmr_created>("pmr");
    add<pmr_on_buffer>("pmr-buffer");
    add<freed_each>("malloc");
    add<bump>("bump");
}

} // namespace lowtide::bench
