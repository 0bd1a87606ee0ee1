// The sampled allocations: which objects of those now in use were sampled, where each was allocated, and for
// every such stack what was allocated and freed there so far, estimated from the samples.
//
// One lock, a leaf, guards it all. A signal handler that interrupts its holder records nothing. Stacks are
// never forgotten, so that whoever prints them needs the lock only for the figures. Links are written one
// word at a time, in an order in which a child of fork finds each list whole.
#pragma once

#include "base/hash.h"
#include "os/mutex.h"
#include "pages/metadata.h"
#include "pages/span.h"

#include <cstddef>
#include <cstdint>

namespace lowtide {

// How many objects, and bytes, the samples stand for.
struct estimate {
    double objects = 0;
    double bytes = 0;

    void add(double more_objects, double more_bytes) noexcept {
        objects += more_objects;
        bytes += more_bytes;
    }
};

// A stack that something sampled was allocated by.
struct sample_site {
    sample_site* in_bucket = nullptr;
    sample_site* older = nullptr;
    uint64_t hash = 0;
    estimate in_use;
    estimate allocated;
    estimate peak; // of `in_use` when all of it was the most, as of `peak_round`
    uint64_t peak_round = 0;
    double freed = 0;        // objects
    double lived_ns = 0;     // all of those together
    double pinned_bytes = 0; // as of the last measure_pinned()
    estimate leaked;         // of `in_use`, as of the last measure_leaked()
    uint32_t samples = 0;    // in use
    uint32_t depth = 0;
    uintptr_t frames[1]; // return addresses, the innermost first

    [[nodiscard]] static size_t bytes_of(uint32_t depth) {
        return sizeof(sample_site) + (depth - 1) * sizeof(uintptr_t);
    }
};

struct sample {
    sample* in_bucket = nullptr;
    uintptr_t object = 0;
    sample_site* site = nullptr;
    double weight = 0; // how many objects it stands for
    size_t size = 0;   // what was asked for
    uint64_t born_ns = 0;
};

class page_map;

class samples {
public:
    static constexpr unsigned most_frames = 128;

    constexpr samples(metadata* records, page_map* map) : records_(records), map_(map) {}

    // Records an object that was just allocated, in `s`; `depth` is not 0. From now on its free takes a slow
    // path. False when there is no memory for that, or in a signal handler that has interrupted this.
    bool add(const void* object, span& s, size_t size, double weight, const uintptr_t* frames, unsigned depth,
             uint64_t now_ns) noexcept;
    // Might that object, which the caller owns, be a sample? Without the lock; most that aren't are told so.
    [[nodiscard]] bool may_have(const void* object) const noexcept {
        const table* t = __atomic_load_n(&table_, __ATOMIC_ACQUIRE);
        return t != nullptr && __atomic_load_n(t->bucket_of(reinterpret_cast<uintptr_t>(object)),
                                               __ATOMIC_RELAXED) != nullptr;
    }
    // Before an object of a span with samples is freed. In such a handler: it must be freed later.
    enum class removal : uint8_t { done, none, later };
    [[nodiscard]] removal remove(const void* object, span& s, uint64_t now_ns) noexcept;
    // An object has been moved, with all that is known about it, from a span that is gone by now or is the
    // same.
    void move(const void* from, const void* to, span& s, size_t size) noexcept;

    // What of `p` in its span is the object's share of bytes that can't go back because of it.
    using pinned_by = double (*)(span& s, uintptr_t object) noexcept;
    // Fills sample_site::pinned_bytes of every site.
    void measure_pinned(pinned_by share) noexcept;

    // Of the bytes of the objects in use, the share that nobody has asked for, and of how many samples that
    // is known.
    struct waste {
        size_t samples;
        double share;
    };
    [[nodiscard]] waste measure_waste() noexcept;

    // Which of the objects in use nobody can reach: in `leaked` of every site, and by how they were lost.
    enum class leak : uint8_t {
        none,
        direct,   // nobody has its address
        indirect, // only what has leaked itself does
    };
    struct leaks {
        estimate direct;
        estimate indirect;
    };
    // Calls visit(object) for each in use, with the lock.
    template <typename Visit>
    void for_each_object(Visit visit) noexcept {
        if (!lock())
            return;
        for (size_t i = 0; table_ != nullptr && i < table_->count; ++i)
            for (sample* r = table_->buckets[i]; r != nullptr; r = r->in_bucket)
                visit(r->object);
        mutex_.unlock();
    }
    template <typename Judge>
    [[nodiscard]] leaks measure_leaked(Judge judge) noexcept {
        leaks all;
        if (!lock())
            return all;
        for (sample_site* s = newest_; s != nullptr; s = s->older)
            s->leaked = {};
        for (size_t i = 0; table_ != nullptr && i < table_->count; ++i)
            for (sample* r = table_->buckets[i]; r != nullptr; r = r->in_bucket)
                if (const leak how = judge(r->object); how != leak::none) {
                    const double bytes = r->weight * static_cast<double>(r->size);
                    r->site->leaked.add(r->weight, bytes);
                    (how == leak::direct ? all.direct : all.indirect).add(r->weight, bytes);
                }
        mutex_.unlock();
        return all;
    }

    // Calls visit(site, figures): `figures` is a copy, taken at one moment, `peak` as of now.
    template <typename Visit>
    void for_each_site(Visit visit) noexcept {
        for (sample_site* s = __atomic_load_n(&newest_, __ATOMIC_ACQUIRE); s != nullptr; s = s->older)
            visit(static_cast<const sample_site&>(*s), figures_of(*s));
    }
    [[nodiscard]] sample_site figures_of(const sample_site& s) noexcept;

    [[nodiscard]] estimate in_use() const noexcept { return in_use_; }
    [[nodiscard]] size_t count() const noexcept { return count_; }

private:
    [[nodiscard]] bool lock() noexcept { return mutex_.lock() != os::acquired::mine; }
    [[nodiscard]] sample_site* site_of(const uintptr_t* frames, unsigned depth) noexcept;
    [[nodiscard]] sample** place_of(uintptr_t object) noexcept; // once there is a table
    [[nodiscard]] sample** link_to(const void* object) noexcept;
    void reserve() noexcept;
    void mark(span& s, bool sampled) noexcept;
    void change(sample_site& s, double objects, double bytes) noexcept;

    // By address. A larger one takes its place when there is a sample for every few buckets; who reads
    // without the lock may still be in the one before, which therefore stays as it was.
    struct table {
        size_t count; // a power of two
        sample* buckets[1];

        [[nodiscard]] static size_t bytes_of(size_t count) {
            return sizeof(size_t) + count * sizeof(sample*);
        }
        [[nodiscard]] sample* const* bucket_of(uintptr_t object) const noexcept {
            return &buckets[(object >> 4) * golden >> 32 & (count - 1)];
        }
        [[nodiscard]] sample** bucket_of(uintptr_t object) noexcept {
            return const_cast<sample**>(const_cast<const table*>(this)->bucket_of(object));
        }
    };
    static constexpr size_t least_buckets = 2048;
    static constexpr size_t buckets_a_sample = 4;

    // Sized once: a million stacks make the buckets long, not wrong.
    static constexpr size_t site_buckets = 4096;

    metadata* records_;
    page_map* map_;
    os::mutex mutex_;
    sample_site** sites_ = nullptr;
    sample_site* newest_ = nullptr;
    table* table_ = nullptr;
    size_t count_ = 0;
    estimate in_use_;
    double most_bytes_ = 0;
    uint64_t peak_round_ = 0; // counts the moments when more was in use than ever before
};

} // namespace lowtide
