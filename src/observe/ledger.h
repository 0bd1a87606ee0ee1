// The ledger: what the process has in memory, as a sum: every page of it has a place here. Filled by a walk
// through all that the allocator has (entry/accounting.cpp), block by block; nothing stops meanwhile, so that
// it is exact when no other thread runs, and else as of the time that the walk took.
//
// Owner: who asks for it. The records of pools and heaps are in memory of its own.
#pragma once

#include "base/size_class.h"
#include "observe/account.h"
#include "os/resident.h"

#include <cstddef>
#include <cstdint>

namespace lowtide {

// Bytes that belong somewhere, and those of them that are in memory.
struct portion {
    size_t bytes = 0;
    size_t resident = 0;

    void add(size_t more, size_t more_resident) noexcept {
        bytes += more;
        resident += more_resident;
    }
};

// What memory is for. The first ones are the allocator's, the others the rest of the process.
enum class category : uint8_t {
    live,        // malloc's: objects that the program holds, but for the next
    huge,        // the same, with a mapping of its own
    cached,      // free objects in magazines and depots
    slab_free,   // free objects in slabs, and what no object lies on
    run_free,    // free runs, and blocks that are free
    huge_parked, // a huge mapping that waits for its next use
    pool_taken,  // blocks of block pools: held by the program
    pool_free,
    heap_live, // heaps of the program's own
    heap_free,
    metadata, // the allocator's own records
    files,    // programs, libraries, mapped files, shared memory
    stack,    // of the main thread
    other,    // data of programs and libraries, stacks of threads, mappings of the program's own
};
inline constexpr unsigned category_count = static_cast<unsigned>(category::other) + 1;

// Its name in every format, and what it means.
struct category_name {
    const char* name;
    const char* meaning;
};
[[gnu::cold]] category_name name_of(category c) noexcept;

struct class_ledger {
    portion used; // objects that are live or cached
    portion free; // the rest of its slabs
};

// A pool, or a heap of the program's own.
struct named_ledger {
    const void* who = nullptr;
    bool is_pool = false;
    char name[32]{};
    size_t object_size = 0; // of a pool: a block's
    size_t live = 0;        // objects, blocks
    portion in_use;
    portion free;
};

// A block as it was at one moment, for who looks at its pages afterwards: what each stretch of its slices is.
struct stretch {
    enum class kind : uint8_t {
        free,  // nobody's
        going, // between two owners
        run,   // an object, or a part of one
        slab,  // objects of one size
        pool,  // blocks of a pool, or a part of one
    } is = kind::free;
    uint8_t first = 0; // slice
    uint8_t count = 0; // slices
    bool cached = false;
    size_class sc{};
    const void* owner = nullptr; // a pool or a heap; null: malloc
    uint32_t object_size = 0;
    uint32_t capacity = 0;
    size_t usable = 0;             // run: of the object, if it begins here
    uint64_t* free_bits = nullptr; // slab
};

struct block_picture {
    static constexpr unsigned most_objects = slice_size / min_alignment; // in a slab
    uintptr_t base = 0;
    unsigned count = 0;
    stretch stretches[slices_per_block];
    uint64_t bitmaps[slices_per_block][most_objects / 64];
    os::page_bits taken; // pages of blocks of pools that the program holds
};

class ledger {
public:
    // Room for so many pools and heaps. The ledger lies in zeroed memory, of bytes_for(named).
    static size_t bytes_for(size_t named) noexcept {
        return align_up(sizeof(ledger) + named * sizeof(named_ledger), 4 * kibibyte);
    }
    explicit ledger(size_t named) noexcept : room_(named) {}

    // False where there is no room.
    bool add_named(const named_ledger& n) noexcept;
    // Once all are there.
    void sort_named() noexcept;

    // What a block has, given which of its pages are in memory.
    void add(const block_picture& b, const os::page_bits& resident) noexcept;

    // Divides what is used in each class into what is live and what magazines have, and gives what nobody has
    // claimed its name. Last of all.
    void close(const account& counters) noexcept;

    portion parts[category_count]{};
    class_ledger classes[all_classes]{}; // [0]: runs of no class
    os::resident_memory process{};
    account counters{};
    size_t reserved_bytes = 0; // address space
    // Of what is live, what nobody has asked for, by the samples (observe/samples.h); none: not known.
    size_t waste_samples = 0;
    double waste_share = 0;
    uint64_t taken_ns = 0; // unix time
    uint64_t cost_ns = 0;  // processor time that it took

    [[nodiscard]] portion& of(category c) noexcept { return parts[static_cast<unsigned>(c)]; }
    [[nodiscard]] const portion& of(category c) const noexcept { return parts[static_cast<unsigned>(c)]; }
    [[nodiscard]] const named_ledger* begin() const noexcept { return named(); }
    [[nodiscard]] const named_ledger* end() const noexcept { return named() + count_; }
    [[nodiscard]] size_t lost_named() const noexcept { return lost_; } // for which there was no room

private:
    [[nodiscard]] named_ledger* named() const noexcept {
        return reinterpret_cast<named_ledger*>(reinterpret_cast<uintptr_t>(this) + sizeof(ledger));
    }
    [[nodiscard]] named_ledger* find(const void* who) noexcept;
    void add_slab(const stretch& s, const os::page_bits& resident) noexcept;
    void add_pool(const stretch& s, const block_picture& b, const os::page_bits& resident) noexcept;

    size_t room_;
    size_t count_ = 0;
    size_t lost_ = 0;
};

} // namespace lowtide
