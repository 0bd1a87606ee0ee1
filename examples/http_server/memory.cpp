#include "memory.h"

#include "lowtide/block_pool.h"

#include <cstdio>

namespace server {

namespace {

template <class T>
T* existing(T* p) {
    if (p == nullptr)
        throw std::bad_alloc();
    return p;
}

// Handed to a region's cleanup: which block of which pool.
struct borrowed_block {
    lowtide_block_pool* pool;
    void* block;
};

void give_back(void* data) {
    const auto* borrowed = static_cast<borrowed_block*>(data);
    lowtide_block_pool_give(borrowed->pool, borrowed->block);
}

} // namespace

scope scope::open(memory_kind kind, scope inside, const char* name, std::size_t first_chunk) {
    scope s;
    if (kind == memory_kind::regions) {
        lowtide_region_options options{};
        options.size = sizeof(options);
        options.name = name;
        options.first_chunk = first_chunk;
        s.region_ = existing(lowtide_region_create(inside.region_, &options));
    }
    return s;
}

void scope::close() {
    lowtide_region_destroy(std::exchange(region_, nullptr));
}

std::string_view scope::print(const char* format, va_list arguments) {
    char* text = nullptr;
    if (region_ != nullptr)
        text = lowtide_region_vprintf(region_, format, arguments);
    else if (vasprintf(&text, format, arguments) < 0)
        text = nullptr;
    return existing(text);
}

body_blocks::body_blocks(memory_kind kind) {
    if (kind == memory_kind::malloc)
        return;
    lowtide_block_pool_options options{};
    options.size = sizeof(options);
    options.name = "bodies";
    options.block_size = block_bytes;
    pool_ = existing(lowtide_block_pool_create(&options));
}

void* body_blocks::take(scope owner) {
    if (pool_ == nullptr)
        return existing(std::malloc(block_bytes));
    auto* borrowed = owner.make<borrowed_block>(pool_, nullptr);
    borrowed->block = existing(lowtide_block_pool_take(pool_, "body"));
    if (lowtide_region_add_cleanup(owner.region(), give_back, borrowed) != 0) {
        give_back(borrowed);
        throw std::bad_alloc();
    }
    return borrowed->block;
}

void body_blocks::give(void* block) {
    if (pool_ == nullptr)
        std::free(block);
}

bool body_blocks::close() {
    return lowtide_block_pool_destroy(std::exchange(pool_, nullptr)) == 0;
}

} // namespace server
