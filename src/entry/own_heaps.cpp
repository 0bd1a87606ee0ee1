// The C surface of heaps of one's own: lowtide/heap.h.
#include "base/print.h"
#include "base/versioned.h"
#include "entry/fast_path.h"
#include "entry/heap.h"
#include "guard/wrong_free.h"
#include "lowtide/heap.h"
#include "os/machine.h"
#include "pool/recently_ended.h"

#include <cerrno>
#include <new>

using namespace lowtide;

struct lowtide_heap : own_heap {
    using own_heap::own_heap;
};

namespace {

constinit recently_ended<lowtide_heap, 8> ended_heaps;

[[noreturn, gnu::cold]] void end_with(const char* call, const void* what, const char* is) noexcept {
    char text[256];
    printer line(text);
    line.print("lowtide: {} of {}: {}\n", call, what, is);
    os::abort_process(line.text());
}

void check(const lowtide_heap* h, const char* call) noexcept {
    if (h == nullptr || !h->is_alive()) [[unlikely]]
        end_with(call, h, "not a heap, or one that was destroyed");
}

// The span of an object of this heap; does not return for anything else.
span& span_in(const lowtide_heap* h, const void* object, const char* call) noexcept {
    check(h, call);
    const auto address = reinterpret_cast<uintptr_t>(object);
    span* s = lowtide_fast.map.around(address);
    if (s == nullptr || own_heap::of(*s) != h) {
        check(h, call); // it may be gone meanwhile, with all its objects
        end_with(call, object, "not an object of this heap");
    }
    if (s->kind == span_kind::slab ? !is_object_start(*s, address) : s->base != address)
        report_wrong_pointer(call, free_error::interior, object, s);
    return *s;
}

void* or_errno(void* object) noexcept {
    if (object == nullptr)
        errno = ENOMEM;
    return object;
}

} // namespace

#pragma GCC visibility push(default)

extern "C" {

lowtide_heap* lowtide_heap_create(const char* name) {
    auto* shards = static_cast<slab_shards*>(the_heap.allocate_record(sizeof(slab_shards)));
    void* memory = shards == nullptr ? nullptr : the_heap.allocate_record(sizeof(lowtide_heap));
    if (memory == nullptr) {
        if (shards != nullptr)
            the_heap.free_record(shards, sizeof(*shards));
        errno = ENOMEM;
        return nullptr;
    }
    auto* h =
        new (memory) lowtide_heap(the_heap.surroundings_of_heaps(), shards, name == nullptr ? "" : name);
    the_heap.own_heaps().add(*h);
    return h;
}

void lowtide_heap_destroy(lowtide_heap* h) {
    if (h == nullptr)
        return;
    check(h, "lowtide_heap_destroy");
    the_heap.own_heaps().remove(*h);
    h->destroy();
    if (lowtide_heap* oldest = ended_heaps.bury(*h)) {
        the_heap.free_record(oldest->shards(), sizeof(slab_shards));
        the_heap.free_record(oldest, sizeof(*oldest));
    }
}

void* lowtide_heap_malloc(lowtide_heap* h, size_t size) {
    check(h, "lowtide_heap_malloc");
    return or_errno(size <= max_request ? h->allocate(size) : nullptr);
}

void* lowtide_heap_calloc(lowtide_heap* h, size_t count, size_t size) {
    check(h, "lowtide_heap_calloc");
    size_t bytes = 0;
    const bool possible = !__builtin_mul_overflow(count, size, &bytes) && bytes <= max_request;
    return or_errno(possible ? h->allocate_zeroed(bytes) : nullptr);
}

void* lowtide_heap_aligned_alloc(lowtide_heap* h, size_t alignment, size_t size) {
    check(h, "lowtide_heap_aligned_alloc");
    if (!is_power_of_two(alignment)) {
        errno = EINVAL;
        return nullptr;
    }
    alignment = alignment < min_alignment ? min_alignment : alignment;
    const bool possible = alignment <= max_request && size <= max_request - alignment;
    return or_errno(possible ? h->allocate(size, alignment) : nullptr);
}

void* lowtide_heap_realloc(lowtide_heap* h, void* object, size_t size) {
    if (object == nullptr)
        return lowtide_heap_malloc(h, size);
    if (size == 0) {
        lowtide_heap_free(h, object);
        return nullptr;
    }
    span& s = span_in(h, object, "lowtide_heap_realloc");
    return or_errno(size <= max_request ? h->reallocate(s, object, size) : nullptr);
}

void lowtide_heap_free(lowtide_heap* h, void* object) {
    check(h, "lowtide_heap_free");
    if (object == nullptr)
        return;
    h->release(span_in(h, object, "lowtide_heap_free"), object);
}

size_t lowtide_heap_usable_size(lowtide_heap* h, const void* object) {
    return object == nullptr ? 0 : span_in(h, object, "lowtide_heap_usable_size").object_size;
}

lowtide_heap* lowtide_heap_of(const void* object) {
    span* s = lowtide_fast.map.around(reinterpret_cast<uintptr_t>(object));
    return s == nullptr ? nullptr : static_cast<lowtide_heap*>(own_heap::of(*s));
}

const char* lowtide_heap_name(const lowtide_heap* h) {
    check(h, "lowtide_heap_name");
    return h->name();
}

int lowtide_heap_walk(lowtide_heap* h, int (*visit)(void*, size_t, void*), void* data) {
    check(h, "lowtide_heap_walk");
    return h->walk(visit, data);
}

int lowtide_heap_stats(lowtide_heap* h, lowtide_heap_statistics* out) {
    check(h, "lowtide_heap_stats");
    const own_heap_counts n = h->counts();
    return give_known_fields({sizeof(*out), n.objects, n.live_bytes, n.held_bytes}, out);
}
}

#pragma GCC visibility pop
