// The heap's part in sampling: what is recorded of an allocation that the front has chosen, and how the
// figures leave the process.
#include "entry/heap.h"
#include "observe/profile.h"
#include "observe/unwind.h"
#include "os/machine.h"
#include "os/probe.h"

namespace lowtide {

// Where nobody has said otherwise.
static constexpr size_t rate_for_leaks = 512 * kibibyte;

void heap::set_sampling(size_t rate) noexcept {
    start();
    settings_.sample = rate;
    begin_sampling();
}

// As the option says.
void heap::begin_sampling() noexcept {
    if (settings_.leaks && settings_.sample == 0)
        settings_.sample = rate_for_leaks;
    const size_t rate = settings_.sample;
    if (rate == front_.sampling())
        return;
    if (sampling_since_ns_ == 0)
        sampling_since_ns_ = os::unix_ns();
    front_.set_sampling(rate);
}

// Where it fails the sample is lost; that is seldom, and nothing depends on a single one.
void heap::record_sample(span& s, const void* p, size_t size) noexcept {
    uintptr_t frames[samples::most_frames];
    const unsigned depth = unwind(frames, samples::most_frames);
    if (depth == 0)
        return;
    const double weight = front_.weight(size);
    if (samples_.add(p, s, size, weight, frames, depth, os::now_ns()))
        LOWTIDE_PROBE(otel_memory, alloc, p, size, static_cast<uint64_t>(weight * static_cast<double>(size)));
}

// A new object.
void heap::consider_sample(void* p, size_t size) noexcept {
    if (!front_.is_sampled(size))
        return;
    if (span* s = map_->find(reinterpret_cast<uintptr_t>(p)))
        record_sample(*s, p, size);
}

bool heap::forget_sample(span& s, const void* p) noexcept {
    if (!samples_.may_have(p))
        return true;
    const samples::removal removed = samples_.remove(p, s, os::now_ns());
    if (removed == samples::removal::done)
        LOWTIDE_PROBE(otel_memory, free, p);
    return removed != samples::removal::later;
}

span* heap::resize_huge(span& s, size_t size) noexcept {
    const void* before = reinterpret_cast<void*>(s.base);
    const bool sampled = s.has_samples();
    span* resized = huge_.resize(s, size);
    if (resized != nullptr && sampled)
        samples_.move(before, reinterpret_cast<void*>(resized->base), *resized, size);
    return resized;
}

// If that object was sampled, so many bytes of it are asked for now.
void heap::note_size(void* p, size_t size) noexcept {
    span* s = map_->find(reinterpret_cast<uintptr_t>(p));
    if (s != nullptr && s->has_samples())
        samples_.move(p, p, *s, size);
}

bool heap::print_profile(printer& out) noexcept {
    if (sampling_since_ns_ == 0)
        return false;
    samples_.measure_pinned(
        [](span& s, uintptr_t object) noexcept { return slab_tier::pinned_bytes(s, object); });
    lowtide::print_profile(out, samples_, settings_.sample, {sampling_since_ns_, os::unix_ns()});
    return true;
}

} // namespace lowtide
