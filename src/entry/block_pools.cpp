// The C surface of block pools: lowtide/block_pool.h.
#include "base/print.h"
#include "base/versioned.h"
#include "entry/background.h"
#include "entry/heap.h"
#include "lowtide/block_pool.h"
#include "os/machine.h"
#include "os/text_file.h"
#include "os/vm.h"
#include "pool/recently_ended.h"

#include <cerrno>
#include <cstring>
#include <new>

using namespace lowtide;

struct lowtide_block_pool : block_pool {
    using block_pool::block_pool;
};

namespace {

constinit recently_ended<lowtide_block_pool, 16> ended_pools;

[[noreturn, gnu::cold]] void end_with_no_pool(const char* call, const void* p) noexcept {
    char text[160];
    printer line(text);
    line.print("lowtide: {} of {}: not a block pool, or one that was destroyed\n", call, p);
    os::abort_process(line.text());
}

void check(const lowtide_block_pool* p, const char* call) noexcept {
    if (p == nullptr || !p->is_alive()) [[unlikely]]
        end_with_no_pool(call, p);
}

[[nodiscard]] bool read(const lowtide_block_pool_options* given, pool_options& to,
                        unsigned& populated) noexcept {
    lowtide_block_pool_options o;
    if (given == nullptr || !take_known_fields(o, *given))
        return false;
    if (o.block_size < least_pool_block || o.block_size > most_pool_block)
        return false;
    to.name = o.name == nullptr ? "" : o.name;
    to.block_size = align_up(o.block_size, os::page_size());
    to.max_blocks = o.max_blocks == 0 ? SIZE_MAX : o.max_blocks;
    to.low_watermark = o.low_watermark;
    to.high_watermark = o.high_watermark == 0 ? SIZE_MAX : o.high_watermark;
    to.return_ms = o.return_ms == 0 ? to.return_ms : o.return_ms;
    to.numa_node = o.numa_node > INT32_MAX ? -1 : static_cast<int>(o.numa_node) - 1;
    to.huge_pages = o.small_pages == 0;
    populated = o.prepopulate;
    return to.low_watermark <= to.high_watermark && to.low_watermark <= to.max_blocks &&
           populated <= to.max_blocks && populated <= to.high_watermark;
}

void* with_errno(void* block, take_result result) noexcept {
    switch (result) {
    case take_result::ok:
        break;
    case take_result::no_memory:
        errno = ENOMEM;
        break;
    case take_result::exhausted:
        errno = EDQUOT;
        break;
    case take_result::not_at_hand:
        errno = EAGAIN;
        break;
    case take_result::timed_out:
        errno = ETIMEDOUT;
        break;
    }
    return block;
}

bool print_to(lowtide_block_pool& p, int fd) noexcept {
    return os::print_to(fd, [&p](printer& out) { p.print(out); });
}

} // namespace

#pragma GCC visibility push(default)

extern "C" {

lowtide_block_pool* lowtide_block_pool_create(const lowtide_block_pool_options* given) {
    pool_options o;
    unsigned populated = 0;
    if (!read(given, o, populated)) {
        errno = EINVAL;
        return nullptr;
    }
    // What can't be there must not be begun: whoever populates it touches all memory that there is.
    if (populated > os::attainable_memory() / o.block_size) {
        errno = ENOMEM;
        return nullptr;
    }
    void* memory = the_heap.allocate_record(sizeof(lowtide_block_pool));
    auto* p = memory == nullptr ? nullptr : new (memory) lowtide_block_pool(the_heap.surroundings_of_pools());
    if (p != nullptr && p->start(o)) {
        the_heap.pools().add(*p);
        if (populated == 0 || p->populate(populated))
            return p;
        lowtide_block_pool_destroy(p);
    } else if (p != nullptr) {
        p->dispose();
        the_heap.free_record(p, sizeof(*p));
    }
    errno = ENOMEM;
    return nullptr;
}

int lowtide_block_pool_destroy(lowtide_block_pool* p) {
    if (p == nullptr)
        return 0;
    check(p, "lowtide_block_pool_destroy");
    the_heap.pools().remove(*p);
    if (p->end()) {
        if (lowtide_block_pool* oldest = ended_pools.bury(*p)) {
            oldest->dispose();
            the_heap.free_record(oldest, sizeof(*oldest));
        }
        return 0;
    }
    the_heap.pools().add(*p);
    constexpr std::string_view line = "lowtide: lowtide_block_pool_destroy: blocks are taken:\n";
    os::write_all(2, line.data(), line.size());
    print_to(*p, 2);
    errno = EBUSY;
    return -1;
}

void* lowtide_block_pool_take(lowtide_block_pool* p, const char* owner) {
    check(p, "lowtide_block_pool_take");
    take_result result = take_result::ok;
    void* block = p->take(owner, result);
    return block != nullptr ? block : with_errno(block, result);
}

void* lowtide_block_pool_try_take(lowtide_block_pool* p, const char* owner) {
    check(p, "lowtide_block_pool_try_take");
    take_result result = take_result::ok;
    void* block = p->try_take(owner, result);
    return with_errno(block, result);
}

void* lowtide_block_pool_take_within(lowtide_block_pool* p, const char* owner, int milliseconds) {
    check(p, "lowtide_block_pool_take_within");
    take_result result = take_result::ok;
    void* block = p->take_within(owner, milliseconds, result);
    if (result == take_result::exhausted)
        result = take_result::timed_out;
    return with_errno(block, result);
}

void lowtide_block_pool_give(lowtide_block_pool* p, void* block) {
    check(p, "lowtide_block_pool_give");
    if (block != nullptr)
        p->give(block);
}

size_t lowtide_block_pool_trim(lowtide_block_pool* p) {
    check(p, "lowtide_block_pool_trim");
    return p->trim();
}

int lowtide_block_pool_stats(lowtide_block_pool* p, lowtide_block_pool_statistics* out) {
    check(p, "lowtide_block_pool_stats");
    const pool_counts n = p->counts();
    return give_known_fields(
        {sizeof(*out), p->bytes_a_block(), n.taken, n.cached, n.ready, n.returned, n.refused, n.waits}, out);
}

int lowtide_block_pool_print(lowtide_block_pool* p, int fd) {
    check(p, "lowtide_block_pool_print");
    if (print_to(*p, fd))
        return 0;
    errno = EIO;
    return -1;
}
}

#pragma GCC visibility pop
