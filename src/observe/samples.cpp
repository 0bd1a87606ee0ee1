#include "observe/samples.h"

#include "pages/page_map.h"

#include <cstring>

namespace lowtide {

namespace {

uint64_t hash_of(const uintptr_t* frames, unsigned depth) noexcept {
    uint64_t hash = depth;
    for (unsigned i = 0; i < depth; ++i)
        hash = hash_with(hash, frames[i]);
    return hash;
}

template <typename T>
void publish(T*& link, T* to) noexcept {
    __atomic_store_n(&link, to, __ATOMIC_RELEASE);
}

} // namespace

// ---- with the lock

sample_site* samples::site_of(const uintptr_t* frames, unsigned depth) noexcept {
    if (sites_ == nullptr)
        sites_ = static_cast<sample_site**>(records_->allocate(site_buckets * sizeof(sample_site*), true));
    if (sites_ == nullptr)
        return nullptr;
    const uint64_t hash = hash_of(frames, depth);
    sample_site*& bucket = sites_[hash % site_buckets];
    for (sample_site* s = bucket; s != nullptr; s = s->in_bucket)
        if (s->hash == hash && s->depth == depth && memcmp(s->frames, frames, depth * sizeof(frames[0])) == 0)
            return s;
    auto* made = static_cast<sample_site*>(records_->allocate(sample_site::bytes_of(depth), true));
    if (made == nullptr)
        return nullptr;
    made->hash = hash;
    made->depth = depth;
    memcpy(made->frames, frames, depth * sizeof(frames[0]));
    made->in_bucket = bucket;
    made->older = newest_;
    publish(bucket, made);
    publish(newest_, made);
    return made;
}

// Where the link to the object's record is, or would be.
sample** samples::place_of(uintptr_t object) noexcept {
    sample** link = table_->bucket_of(object);
    while (*link != nullptr && (*link)->object != object)
        link = &(*link)->in_bucket;
    return link;
}

// Null when there is no record.
sample** samples::link_to(const void* object) noexcept {
    sample** link = table_ == nullptr ? nullptr : place_of(reinterpret_cast<uintptr_t>(object));
    return link != nullptr && *link != nullptr ? link : nullptr;
}

// Without memory for a larger table the buckets become long.
void samples::reserve() noexcept {
    if (table_ != nullptr && count_ * buckets_a_sample < table_->count)
        return;
    const size_t count = table_ == nullptr ? least_buckets : 4 * table_->count;
    auto* larger = static_cast<table*>(records_->allocate(table::bytes_of(count), true));
    if (larger == nullptr)
        return;
    larger->count = count;
    for (size_t i = 0; table_ != nullptr && i < table_->count; ++i)
        for (sample* r = table_->buckets[i]; r != nullptr;) {
            sample* next = r->in_bucket;
            sample** bucket = larger->bucket_of(r->object);
            r->in_bucket = *bucket;
            *bucket = r;
            r = next;
        }
    publish(table_, larger);
}

// Whether free of the objects in a span has to come to the slow path, or to those that are not sampled there.
void samples::mark(span& s, bool sampled) noexcept {
    if (s.sc == size_class{})
        return; // it comes there anyway
    const uint32_t fast = sampled ? 0 : fast_entry_of(s.sc);
    const uintptr_t end = s.base + (s.kind == span_kind::slab ? s.length.bytes() : slice_size);
    for (uintptr_t at = s.base; at < end; at += slice_size)
        map_->set_fast(at, fast);
}

void samples::change(sample_site& s, double objects, double bytes) noexcept {
    if (s.peak_round != peak_round_) { // it is as it was when the most was in use
        s.peak = s.in_use;
        s.peak_round = peak_round_;
    }
    s.in_use.add(objects, bytes);
    if (s.samples == 0)
        s.in_use = {}; // but for rounding
    in_use_.add(objects, bytes);
    if (in_use_.bytes > most_bytes_) {
        most_bytes_ = in_use_.bytes;
        ++peak_round_;
    }
}

// ---- one object

bool samples::add(const void* object, span& s, size_t size, double weight, const uintptr_t* frames,
                  unsigned depth, uint64_t now_ns) noexcept {
    if (!lock())
        return false;
    reserve();
    sample_site* site = table_ == nullptr ? nullptr : site_of(frames, depth);
    auto* r = site == nullptr ? nullptr : static_cast<sample*>(records_->allocate(sizeof(sample), true));
    if (r != nullptr) {
        *r = {nullptr, reinterpret_cast<uintptr_t>(object), site, weight, size, now_ns};
        const double bytes = weight * static_cast<double>(size);
        publish(*place_of(r->object), r);
        ++count_;
        ++site->samples;
        site->allocated.add(weight, bytes);
        change(*site, weight, bytes);
        s.set_samples(s.samples + 1);
        if (s.samples == 1)
            mark(s, true);
    }
    mutex_.unlock();
    return r != nullptr;
}

samples::removal samples::remove(const void* object, span& s, uint64_t now_ns) noexcept {
    if (!lock())
        return removal::later;
    removal result = removal::none;
    if (sample** link = link_to(object)) {
        sample* r = *link;
        publish(*link, r->in_bucket);
        --count_;
        sample_site& site = *r->site;
        --site.samples;
        site.freed += r->weight;
        site.lived_ns += r->weight * static_cast<double>(now_ns - r->born_ns);
        change(site, -r->weight, -r->weight * static_cast<double>(r->size));
        records_->deallocate(r, sizeof(sample), true);
        s.set_samples(s.samples - 1);
        if (s.samples == 0)
            mark(s, false);
        result = removal::done;
    }
    mutex_.unlock();
    return result;
}

void samples::move(const void* from, const void* to, span& s, size_t size) noexcept {
    if (!lock())
        return;
    if (sample** link = link_to(from)) {
        sample* r = *link;
        publish(*link, r->in_bucket);
        const double grown = r->weight * (static_cast<double>(size) - static_cast<double>(r->size));
        *r = {nullptr, reinterpret_cast<uintptr_t>(to), r->site, r->weight, size, r->born_ns};
        publish(*place_of(r->object), r);
        change(*r->site, 0, grown);
        if (s.samples == 0)
            s.set_samples(1); // a huge one, which is elsewhere now
        mark(s, true);        // a run may be of another class
    }
    mutex_.unlock();
}

// ---- figures

sample_site samples::figures_of(const sample_site& s) noexcept {
    sample_site copy;
    if (lock()) {
        copy = s;
        if (copy.peak_round != peak_round_)
            copy.peak = copy.in_use;
        mutex_.unlock();
    }
    return copy;
}

void samples::measure_pinned(pinned_by share) noexcept {
    if (!lock())
        return;
    for (sample_site* s = newest_; s != nullptr; s = s->older)
        s->pinned_bytes = 0;
    for (size_t i = 0; table_ != nullptr && i < table_->count; ++i)
        for (sample* r = table_->buckets[i]; r != nullptr; r = r->in_bucket)
            if (span* s = map_->find(r->object))
                r->site->pinned_bytes += r->weight * share(*s, r->object);
    mutex_.unlock();
}

// The object's owner may be changing it.
[[gnu::no_sanitize_thread]] static size_t usable_now(const span& s) noexcept {
    return *const_cast<const volatile size_t*>(&s.object_size);
}

samples::waste samples::measure_waste() noexcept {
    waste w{};
    double asked = 0;
    double usable = 0;
    if (!lock())
        return w;
    for (size_t i = 0; table_ != nullptr && i < table_->count; ++i) {
        for (sample* r = table_->buckets[i]; r != nullptr; r = r->in_bucket) {
            const span* s = map_->find(r->object);
            const size_t room = s == nullptr ? 0 : usable_now(*s);
            if (room < r->size)
                continue;
            ++w.samples;
            asked += r->weight * static_cast<double>(r->size);
            usable += r->weight * static_cast<double>(room);
        }
    }
    mutex_.unlock();
    w.share = usable > 0 ? 1 - asked / usable : 0;
    return w;
}

} // namespace lowtide
