// Regions: see lowtide/region.h. Chunks and blocks come from malloc, so small ones from the magazines of
// their size, and those of 64 KiB and more are runs of the page tier.
//
// Owner: one thread at a time has a tree; nothing here is locked. A region lies at the beginning of its first
// chunk, so that an empty one is one malloc and one free.
//
// Cleanup handlers and children are in one list, newest first, and each is taken out of it before it is run
// or entered: whatever a handler does to the tree, nothing comes twice. Trees are walked without recursion.
#include "pool/region.h"

#include "base/list.h"
#include "base/print.h"
#include "base/units.h"
#include "base/versioned.h"
#include "lowtide/region.h"
#include "os/machine.h"
#include "os/text_file.h"
#include "pool/quarantine.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>

using namespace lowtide;

namespace {

constexpr size_t default_first_chunk = 4 * kibibyte;
constexpr size_t least_first_chunk = 512;
constexpr size_t default_largest_chunk = 256 * kibibyte;
constexpr size_t most_largest_chunk = 64 * mebibyte;
// What is larger than this share of the largest chunk has a block of its own.
constexpr size_t block_share = 4;

// Of what is printed: from there on the depth is a number, or a deep tree would be all indentation.
constexpr unsigned most_indented = 20;

constexpr uint64_t region_magic = 0x6c6f77746964652e; // "lowtide."
constexpr uint64_t block_magic = 0x6c6f772d626c6f63;

// In front of an object that has a block of its own.
struct block_header : list_node<> {
    uint64_t magic;
    lowtide_region* owner;
    uintptr_t base; // of the block
    size_t bytes;

    [[nodiscard]] uint64_t own_magic() const { return block_magic ^ reinterpret_cast<uintptr_t>(this); }
};

// No object lies nearer to the beginning of a chunk than a block header is large, so that looking for one in
// front of any object reads what is the region's.
struct alignas(16) chunk {
    chunk* next; // the one before
    size_t bytes;
    unsigned char gap[sizeof(block_header) - sizeof(void*) - sizeof(size_t)];

    [[nodiscard]] char* begin() { return reinterpret_cast<char*>(this + 1); }
    [[nodiscard]] char* end() { return reinterpret_cast<char*>(this) + bytes; }
};
static_assert(sizeof(chunk) >= sizeof(block_header) && sizeof(chunk) % 16 == 0);

// What is run or destroyed when a region is emptied.
struct dependent : list_node<> {
    void (*run)(void* data) = nullptr; // null: `data` is a child
    void* data = nullptr;
};

struct chunk_sizes {
    size_t first = 0;
    size_t largest = 0;

    [[nodiscard]] bool are_valid() const {
        return largest <= most_largest_chunk && first >= least_first_chunk && first <= largest;
    }
    // Of the chunk behind one of so many bytes.
    [[nodiscard]] size_t after(size_t bytes) const { return bytes < largest / 2 ? bytes * 2 : largest; }
};

enum class region_state : uint8_t {
    idle,
    emptying,  // by a call that is running
    abandoned, // by a call that came upon a descendant in the state `emptying`: who ends that goes on here
};

} // namespace

struct lowtide_region : lowtide_region_window {
    uint64_t magic = region_magic;
    char* chunk_end = nullptr; // of the current chunk, as `end` is at most
    lowtide_region* parent = nullptr;
    dependent in_parent{};
    list<dependent> dependents{};
    chunk* chunks = nullptr; // the current one first
    chunk* warm = nullptr;   // kept by reset()
    list<block_header> blocks{};
    lowtide_region** handle = nullptr;
    lowtide_region* limited = nullptr; // the nearest that has a limit: this one or an ancestor
    size_t limit = 0;
    size_t limited_bytes = 0; // with a limit: held by this one and its descendants
    size_t held = 0;
    size_t refused = 0;
    chunk_sizes sizes{};
    size_t next_chunk = 0;
    unsigned warm_chunks = 0;
    region_state state = region_state::idle;
    bool doomed = false; // to be destroyed by the call that empties it, not only reset
    bool guarded = false;
    char name[LOWTIDE_REGION_NAME_BYTES]; // what is behind the NUL may be anything
};
static_assert(sizeof(chunk) + align_up(sizeof(lowtide_region), min_alignment) <= 288,
              "lowtide/region.h says so");

namespace {

constinit bool all_guarded = false;

[[noreturn, gnu::cold]] void end_with_no_region(const char* call, const void* r) noexcept {
    char text[160];
    printer line(text);
    line.print("lowtide: {} of {}: not a region, or one that was destroyed\n", call, r);
    os::abort_process(line.text());
}

[[noreturn, gnu::cold]] void end_with_object(const void* object, const char* why) noexcept {
    char text[160];
    printer line(text);
    line.print("lowtide: lowtide_region_free of {}: {}\n", object, why);
    os::abort_process(line.text());
}

void check(const lowtide_region* r, const char* call) noexcept {
    if (r == nullptr || r->magic != region_magic) [[unlikely]]
        end_with_no_region(call, r);
}

// ---- memory and limits

// The nearest ancestor with a limit whose subtree may not hold so many bytes more, or null.
lowtide_region* forbids(lowtide_region* limited, size_t bytes) noexcept {
    for (lowtide_region* r = limited; r != nullptr; r = r->parent == nullptr ? nullptr : r->parent->limited)
        if (bytes > r->limit - r->limited_bytes)
            return r;
    return nullptr;
}

void account(lowtide_region& r, size_t bytes) noexcept {
    r.held += bytes;
    for (lowtide_region* l = r.limited; l != nullptr; l = l->parent == nullptr ? nullptr : l->parent->limited)
        l->limited_bytes += bytes;
}

void* refuse(lowtide_region* limiting) noexcept {
    ++limiting->refused;
    errno = EDQUOT;
    return nullptr;
}

// `alignment` is a power of two.
void* get(bool guarded, size_t bytes, size_t alignment) noexcept {
    if (guarded) {
        void* p = reinterpret_cast<void*>(map_guarded(bytes, alignment));
        if (p == nullptr)
            errno = ENOMEM;
        return p;
    }
    return alignment <= min_alignment ? malloc(bytes) : aligned_alloc(alignment, align_up(bytes, alignment));
}

void put(bool guarded, void* p, size_t bytes) noexcept {
    if (guarded)
        retire_guarded(reinterpret_cast<uintptr_t>(p), bytes);
    else
        free(p);
}

void free_chunks(chunk* first, bool guarded) noexcept {
    for (chunk* c = first; c != nullptr;) {
        chunk* next = c->next;
        put(guarded, c, c->bytes);
        c = next;
    }
}

void free_block(lowtide_region& r, block_header& b) noexcept {
    b.magic = 0;
    b.unlink();
    account(r, 0 - b.bytes);
    put(r.guarded, reinterpret_cast<void*>(b.base), b.bytes);
}

void free_blocks(lowtide_region& r) noexcept {
    while (block_header* b = r.blocks.front())
        free_block(r, *b);
}

size_t most_in_chunk(const lowtide_region& r) noexcept {
    return r.sizes.largest / block_share;
}

size_t rest_of_chunk(const lowtide_region& r) noexcept {
    return static_cast<size_t>(r.chunk_end - r.next);
}

// No larger than an object in a chunk may be, so that a larger one isn't taken from it, whatever room the
// chunk has.
void widen_window(lowtide_region& r) noexcept {
    const size_t most = align_down(most_in_chunk(r), min_alignment);
    r.end = r.next + (rest_of_chunk(r) < most ? rest_of_chunk(r) : most);
}

void set_window(lowtide_region& r, char* next, char* chunk_end) noexcept {
    r.next = next;
    r.chunk_end = reinterpret_cast<char*>(align_down(reinterpret_cast<uintptr_t>(chunk_end), min_alignment));
    widen_window(r);
}

// The chunk that the region lies in.
chunk& home_of(lowtide_region& r) noexcept {
    return *(reinterpret_cast<chunk*>(&r) - 1);
}

// Where the objects of a region's first chunk begin: a guarded one has none there.
void begin_window(lowtide_region& r) noexcept {
    char* begin = reinterpret_cast<char*>(&r) + align_up(sizeof(lowtide_region), min_alignment);
    set_window(r, begin, r.guarded ? begin : home_of(r).end());
}

char* aligned(char* p, size_t alignment) noexcept {
    return reinterpret_cast<char*>(align_up(reinterpret_cast<uintptr_t>(p), alignment));
}

// From the current chunk, if there is room; `size` is far from overflow.
void* take(lowtide_region& r, size_t alignment, size_t size) noexcept {
    char* object = aligned(r.next, alignment);
    if (object > r.chunk_end || size > static_cast<size_t>(r.chunk_end - object))
        return nullptr;
    r.next = aligned(object + size, min_alignment);
    widen_window(r);
    return object;
}

// A warm chunk with room for so many bytes in all, or null.
chunk* take_warm(lowtide_region& r, size_t bytes) noexcept {
    for (chunk** at = &r.warm; *at != nullptr; at = &(*at)->next) {
        chunk* c = *at;
        if (c->bytes >= bytes) {
            *at = c->next;
            return c;
        }
    }
    return nullptr;
}

// Forbids a limit so many bytes more? What reset() has kept is given up first.
lowtide_region* forbids_in(lowtide_region& r, size_t bytes) noexcept {
    lowtide_region* limiting = forbids(r.limited, bytes);
    if (limiting == nullptr || r.warm == nullptr)
        return limiting;
    for (const chunk* c = r.warm; c != nullptr; c = c->next)
        account(r, 0 - c->bytes);
    free_chunks(r.warm, r.guarded);
    r.warm = nullptr;
    return forbids(r.limited, bytes);
}

chunk* get_chunk(lowtide_region& r, size_t bytes) noexcept {
    if (chunk* c = take_warm(r, bytes))
        return c;
    size_t wanted = next_power_of_two(bytes);
    wanted = wanted < r.next_chunk ? r.next_chunk : wanted;
    // Near a limit, or where memory is short, no more than what is needed.
    if (forbids_in(r, wanted) != nullptr)
        wanted = bytes;
    if (lowtide_region* limiting = forbids(r.limited, wanted))
        return static_cast<chunk*>(refuse(limiting));
    const int before = errno;
    auto* c = static_cast<chunk*>(get(r.guarded, wanted, min_alignment));
    if (c == nullptr && wanted > bytes) {
        wanted = bytes;
        c = static_cast<chunk*>(get(r.guarded, wanted, min_alignment));
        if (c != nullptr)
            errno = before;
    }
    if (c == nullptr)
        return nullptr;
    c->bytes = wanted;
    account(r, wanted);
    r.next_chunk = r.sizes.after(wanted);
    return c;
}

void* allocate_in_new_chunk(lowtide_region& r, size_t alignment, size_t size) noexcept {
    const size_t slack = alignment > min_alignment ? alignment : 0;
    chunk* c = get_chunk(r, sizeof(chunk) + slack + align_up(size, min_alignment));
    if (c == nullptr)
        return nullptr;
    c->next = r.chunks;
    r.chunks = c;
    char* const next_before = r.next;
    char* const end_before = r.chunk_end;
    set_window(r, c->begin(), c->end());
    void* object = take(r, alignment, size);
    // What is left of either chunk goes on being used: the larger rest.
    if (static_cast<size_t>(end_before - next_before) > rest_of_chunk(r))
        set_window(r, next_before, end_before);
    return object;
}

void* allocate_block(lowtide_region& r, size_t alignment, size_t size) noexcept {
    const size_t front = align_up(sizeof(block_header), alignment);
    const size_t bytes = front + size;
    if (lowtide_region* limiting = forbids_in(r, bytes))
        return refuse(limiting);
    auto* base = static_cast<char*>(get(r.guarded, bytes, alignment));
    if (base == nullptr)
        return nullptr;
    auto* b = reinterpret_cast<block_header*>(base + front) - 1;
    b->forget();
    b->magic = b->own_magic();
    b->owner = &r;
    b->base = reinterpret_cast<uintptr_t>(base);
    b->bytes = bytes;
    r.blocks.push_front(*b);
    account(r, bytes);
    return base + front;
}

// ---- the end

// A region that nothing depends on any more.
void release(lowtide_region& r) noexcept {
    if (r.in_parent.linked())
        r.in_parent.unlink();
    if (r.handle != nullptr)
        *r.handle = nullptr;
    free_blocks(r);
    account(r, 0 - r.held);
    r.magic = 0;
    const bool guarded = r.guarded;
    chunk* home = &home_of(r);
    chunk* chunks = r.chunks;
    free_chunks(r.warm, guarded);
    free_chunks(chunks, guarded);
    free(home);
}

// Leaves everything from `r` up to `top` to the call that empties a child of `r`.
void abandon(lowtide_region* r, lowtide_region& top) noexcept {
    for (; r != &top; r = r->parent) {
        r->state = region_state::abandoned;
        r->doomed = true;
    }
    top.state = region_state::abandoned;
}

// Runs all that depends on `top`. False: a descendant is being emptied by a call that this one was made from,
// and that call will do the rest.
bool empty(lowtide_region& top) noexcept {
    top.state = region_state::emptying;
    for (lowtide_region* r = &top;;) {
        dependent* d = r->dependents.front();
        if (d == nullptr) {
            if (r == &top)
                return true;
            lowtide_region* parent = r->parent;
            release(*r);
            r = parent;
        } else if (d->run != nullptr) {
            d->unlink();
            d->run(d->data);
        } else {
            auto* child = static_cast<lowtide_region*>(d->data);
            if (child->state == region_state::emptying) {
                child->doomed = true;
                abandon(r, top);
                return false;
            }
            child->state = region_state::emptying;
            r = child;
        }
    }
}

// What reset() keeps of the chunks, the newest, which are the largest.
void keep_warm(lowtide_region& r) noexcept {
    chunk* kept = nullptr;
    unsigned count = 0;
    for (chunk** lists[] = {&r.chunks, &r.warm}; chunk * *from : lists) {
        while (*from != nullptr) {
            chunk* c = *from;
            *from = c->next;
            if (count < r.warm_chunks && !r.guarded) {
                c->next = kept;
                kept = c;
                ++count;
            } else {
                account(r, 0 - c->bytes);
                put(r.guarded, c, c->bytes);
            }
        }
    }
    r.warm = kept;
}

// What nothing depends on any more, as it was made.
void renew(lowtide_region& r) noexcept {
    r.state = region_state::idle;
    free_blocks(r);
    keep_warm(r);
    r.next_chunk = r.sizes.after(r.sizes.first);
    begin_window(r);
}

// Empties a region, which then is gone if it is doomed, and goes on with the parents that were abandoned
// meanwhile.
void finish(lowtide_region* r) noexcept {
    while (empty(*r)) {
        if (!r->doomed)
            return renew(*r); // an abandoned parent would have doomed it, or another call, further out, goes
                              // on with it
        lowtide_region* parent = r->parent;
        release(*r);
        if (parent == nullptr || parent->state != region_state::abandoned)
            return;
        r = parent;
    }
}

// Does an object lie in a chunk of the region?
bool has(lowtide_region& r, const void* object) noexcept {
    const auto* at = static_cast<const char*>(object);
    const auto in = [at](chunk& c) { return at >= c.begin() && at < c.end(); };
    for (chunk* c = r.chunks; c != nullptr; c = c->next)
        if (in(*c))
            return true;
    return in(home_of(r));
}

// ---- walking

lowtide_region* child_behind(const list<dependent>& of, dependent* d) noexcept {
    auto& all = const_cast<list<dependent>&>(of);
    for (d = d == nullptr ? all.front() : all.after(*d); d != nullptr; d = all.after(*d))
        if (d->run == nullptr)
            return static_cast<lowtide_region*>(d->data);
    return nullptr;
}

// Calls visit(region, depth) for `top` and all its descendants, parents first.
template <typename Visit>
void for_each_in_tree(const lowtide_region& top, Visit visit) noexcept {
    unsigned depth = 0;
    const lowtide_region* r = &top;
    while (r != nullptr) {
        visit(*r, depth);
        const lowtide_region* next = child_behind(r->dependents, nullptr);
        if (next != nullptr)
            ++depth;
        for (; next == nullptr && r != &top; r = r->parent, --depth) {
            next = child_behind(r->parent->dependents, const_cast<dependent*>(&r->in_parent));
            if (next != nullptr)
                break;
        }
        r = next;
    }
}

// Of the region alone.
lowtide_region_statistics describe(const lowtide_region& r) noexcept {
    lowtide_region_statistics s{};
    s.size = sizeof(s);
    s.held = r.held;
    s.free = rest_of_chunk(r);
    s.chunks = 1;
    for (const chunk* c = r.chunks; c != nullptr; c = c->next)
        ++s.chunks;
    for (const chunk* c = r.warm; c != nullptr; c = c->next) {
        ++s.chunks;
        s.free += c->bytes - sizeof(chunk);
    }
    auto& blocks = const_cast<list<block_header>&>(r.blocks);
    for (block_header* b = blocks.front(); b != nullptr; b = blocks.after(*b))
        ++s.blocks;
    auto& dependents = const_cast<list<dependent>&>(r.dependents);
    for (dependent* d = dependents.front(); d != nullptr; d = dependents.after(*d))
        ++(d->run == nullptr ? s.children : s.cleanups);
    s.limit = r.limit;
    s.refused = r.refused;
    return s;
}

constexpr lowtide_region_options no_options{};

// What was given, where it stands: copied only from a caller of another version, who has other fields.
// Null for a version that there is not.
const lowtide_region_options* whole(const lowtide_region_options* given,
                                    lowtide_region_options& copy) noexcept {
    if (given == nullptr)
        return &no_options;
    if (given->size == sizeof(copy))
        return given;
    return take_known_fields(copy, *given) ? &copy : nullptr;
}

chunk_sizes sizes_of(const lowtide_region_options& o) noexcept {
    size_t largest = o.largest_chunk;
    if (largest == 0)
        largest = o.first_chunk > default_largest_chunk ? o.first_chunk : default_largest_chunk;
    size_t first = o.first_chunk;
    if (first == 0)
        first = largest < default_first_chunk ? largest : default_first_chunk;
    return {first, largest};
}

} // namespace

void lowtide::guard_all_regions() noexcept {
    all_guarded = true;
}

#pragma GCC visibility push(default)

extern "C" {

// ---- create, destroy

lowtide_region* lowtide_region_create(lowtide_region* parent, const lowtide_region_options* options) {
    if (parent != nullptr)
        check(parent, "lowtide_region_create under a parent");
    lowtide_region_options copy;
    const lowtide_region_options* o = whole(options, copy);
    const chunk_sizes sizes = o == nullptr ? chunk_sizes{} : sizes_of(*o);
    if (!sizes.are_valid()) {
        errno = EINVAL;
        return nullptr;
    }
    lowtide_region* limiting = parent == nullptr ? nullptr : forbids(parent->limited, sizes.first);
    if (limiting != nullptr)
        return static_cast<lowtide_region*>(refuse(limiting));
    if (o->limit != 0 && o->limit < sizes.first) {
        errno = EDQUOT;
        return nullptr;
    }
    auto* home = static_cast<chunk*>(malloc(sizes.first));
    if (home == nullptr)
        return nullptr;
    home->next = nullptr;
    home->bytes = sizes.first;
    // Without braces: those would clear all of it first, which takes longer than the rest of this.
    auto* r = new (home->begin()) lowtide_region;
    r->parent = parent;
    r->in_parent.data = r;
    r->limit = o->limit;
    r->limited = o->limit != 0 ? r : parent == nullptr ? nullptr : parent->limited;
    r->sizes = sizes;
    r->warm_chunks = o->warm_chunks;
    r->guarded = o->guarded != 0 || all_guarded; // behind malloc, which reads the options
    r->name[0] = r->name[sizeof(r->name) - 1] = '\0';
    if (o->name != nullptr)
        strncpy(r->name, o->name, sizeof(r->name) - 1);
    r->next_chunk = sizes.after(sizes.first);
    if (parent != nullptr)
        parent->dependents.push_front(r->in_parent);
    account(*r, sizes.first);
    begin_window(*r);
    return r;
}

void lowtide_region_destroy(lowtide_region* r) {
    if (r == nullptr)
        return;
    check(r, "lowtide_region_destroy");
    r->doomed = true;
    if (r->state == region_state::idle)
        finish(r);
}

void lowtide_region_reset(lowtide_region* r) {
    check(r, "lowtide_region_reset");
    if (r->state == region_state::idle)
        finish(r);
}

// ---- allocate, free

void* lowtide_region_alloc_slow(lowtide_region* r, size_t alignment, size_t size) {
    check(r, "allocation from a region");
    if (!is_power_of_two(alignment) || alignment > LOWTIDE_REGION_MAX_ALIGNMENT) {
        errno = EINVAL;
        return nullptr;
    }
    if (size > max_request / 2) {
        errno = ENOMEM;
        return nullptr;
    }
    alignment = alignment < min_alignment ? min_alignment : alignment;
    const size_t slack = alignment > min_alignment ? alignment : 0;
    if (size + slack > most_in_chunk(*r))
        return allocate_block(*r, alignment, size);
    void* object = take(*r, alignment, size);
    return object != nullptr ? object : allocate_in_new_chunk(*r, alignment, size);
}

void* lowtide_region_calloc(lowtide_region* r, size_t count, size_t size) {
    size_t bytes = 0;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return nullptr;
    }
    void* object = lowtide_region_alloc(r, bytes);
    return object == nullptr ? nullptr : memset(object, 0, bytes);
}

int lowtide_region_free(lowtide_region* r, void* object) {
    check(r, "lowtide_region_free");
    if (object == nullptr || reinterpret_cast<uintptr_t>(object) % min_alignment != 0)
        return 0;
    auto* b = static_cast<block_header*>(object) - 1;
    if (b->magic == b->own_magic() && b->owner == r) {
        free_block(*r, *b);
        return 1;
    }
    if (b->magic == b->own_magic())
        end_with_object(object, "it is another region's");
    if (r->guarded && !has(*r, object)) // looking for it takes as long as there are chunks
        end_with_object(object, "it is not this region's");
    return 0;
}

// ---- text

void* lowtide_region_memdup(lowtide_region* r, const void* from, size_t size) {
    void* to = lowtide_region_alloc(r, size);
    return to == nullptr || size == 0 ? to : memcpy(to, from, size);
}

char* lowtide_region_strndup(lowtide_region* r, const char* text, size_t most) {
    const size_t length = strnlen(text, most);
    auto* to = static_cast<char*>(lowtide_region_alloc(r, length + 1));
    if (to == nullptr)
        return nullptr;
    memcpy(to, text, length);
    to[length] = '\0';
    return to;
}

char* lowtide_region_strdup(lowtide_region* r, const char* text) {
    return static_cast<char*>(lowtide_region_memdup(r, text, strlen(text) + 1));
}

// Into the window; printed again where that is too short.
char* lowtide_region_vprintf(lowtide_region* r, const char* format, va_list arguments) {
    check(r, "lowtide_region_printf");
    const auto room = static_cast<size_t>(r->end - r->next);
    va_list again;
    va_copy(again, arguments);
    const int length = vsnprintf(r->next, room, format, arguments);
    char* text = nullptr;
    if (length >= 0) {
        const size_t size = static_cast<size_t>(length) + 1;
        text = static_cast<char*>(lowtide_region_alloc(r, size));
        if (text != nullptr && size > room)
            vsnprintf(text, size, format, again);
    }
    va_end(again);
    return text;
}

char* lowtide_region_printf(lowtide_region* r, const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char* text = lowtide_region_vprintf(r, format, arguments);
    va_end(arguments);
    return text;
}

// ---- cleanups

int lowtide_region_add_cleanup(lowtide_region* r, void (*run)(void*), void* data) {
    check(r, "lowtide_region_add_cleanup");
    if (run == nullptr) {
        errno = EINVAL;
        return -1;
    }
    void* place = lowtide_region_alloc(r, sizeof(dependent));
    if (place == nullptr)
        return -1;
    auto* d = new (place) dependent{};
    d->run = run;
    d->data = data;
    r->dependents.push_front(*d);
    return 0;
}

int lowtide_region_remove_cleanup(lowtide_region* r, void (*run)(void*), void* data) {
    check(r, "lowtide_region_remove_cleanup");
    for (dependent* d = r->dependents.front(); d != nullptr; d = r->dependents.after(*d)) {
        if (run != nullptr && d->run == run && d->data == data) {
            d->unlink();
            return 1;
        }
    }
    return 0;
}

// ---- what is known of it

void lowtide_region_set_handle(lowtide_region* r, lowtide_region** handle) {
    check(r, "lowtide_region_set_handle");
    r->handle = handle;
}

lowtide_region* lowtide_region_parent(const lowtide_region* r) {
    check(r, "lowtide_region_parent");
    return r->parent;
}

const char* lowtide_region_name(const lowtide_region* r) {
    check(r, "lowtide_region_name");
    return r->name;
}

int lowtide_region_stats(const lowtide_region* r, lowtide_region_statistics* out) {
    check(r, "lowtide_region_stats");
    lowtide_region_statistics s = describe(*r);
    for_each_in_tree(*r, [&s](const lowtide_region& one, unsigned) { s.tree_held += one.held; });
    return give_known_fields(s, out);
}

int lowtide_region_print(const lowtide_region* r, int fd) {
    check(r, "lowtide_region_print");
    const auto print = [r](printer& out) {
        for_each_in_tree(*r, [&out](const lowtide_region& one, unsigned depth) {
            const lowtide_region_statistics s = describe(one);
            for (unsigned i = 0; i < depth && i < most_indented; ++i)
                out.print("  ");
            if (depth > most_indented)
                out.print("({}) ", depth);
            out.print("region ")
                .print_plain(one.name[0] == '\0' ? "-" : one.name)
                .print(": {} in {} chunks and {} blocks, {} free, {} cleanups", byte_count{s.held}, s.chunks,
                       s.blocks, byte_count{s.free}, s.cleanups);
            if (s.limit != 0)
                out.print(", limit {}, {} refused", byte_count{s.limit}, s.refused);
            out.print("\n");
        });
    };
    if (os::print_to(fd, print))
        return 0;
    errno = EIO;
    return -1;
}
}

#pragma GCC visibility pop
