// The heap of entry/heap.h alone. Its fast paths and rseq are nothing that a sanitizer can see: the caches
// are the locked ones here (LOWTIDE_CONF=rseq:false), which are the same words under a lock.
//
// The background thread is one that a sanitizer knows, and returns memory all the time.
#include "face.h"

#include "entry/background.h"
#include "entry/fast_path.h"
#include "entry/heap.h"

#include <cerrno>
#include <chrono>
#include <mutex>
#include <thread>

namespace lowtide {

void prepare_fast_paths(const cache&) noexcept {}

constinit background the_background;
constinit std::atomic<uint32_t> background::nothing_to_note{noted};
void background::allow(background_use) noexcept {}
void background::note_other_call() noexcept {}
void background::wake() noexcept {}

namespace {

class tide {
public:
    tide()
        : thread_([this] {
              the_heap.start();
              the_heap.attend(true);
              for (unsigned i = 1; !stop_; ++i) {
                  {
                      const std::lock_guard guard(ebbing);
                      the_heap.ebb(i % 4 == 0);
                      the_heap.look_around();
                      if (i % 8 == 0)
                          account();
                  }
                  std::this_thread::sleep_for(std::chrono::milliseconds(1));
              }
          }) {}
    ~tide() {
        stop_ = true;
        thread_.join();
    }

    static void account() {
        char buffer[1024];
        printer nowhere(buffer, [](void*, const char*, size_t) noexcept {});
        if (the_heap.print_account(nowhere, account_format::json) != account_result::ok)
            std::abort();
    }

    std::mutex ebbing; // held while objects are on their way

private:
    std::atomic<bool> stop_{false};
    std::thread thread_;
} the_tide;

} // namespace

} // namespace lowtide

// What the fast paths lead to.
void* lowtide_malloc(size_t size) {
    return lowtide::the_heap.allocate(size);
}
void lowtide_free(void* p) noexcept {
    lowtide::the_heap.release(p, "realloc");
}

namespace stress::face {

namespace {

using lowtide::the_heap;

void* or_no_memory(void* p) {
    if (p == nullptr)
        errno = ENOMEM;
    return p;
}

constexpr size_t plain = lowtide::min_alignment;

constexpr allocation all_allocations[] = {
    {"allocate", [](size_t, size_t n) { return or_no_memory(the_heap.allocate(n)); }, plain, false, false},
    {"allocate_zeroed", [](size_t, size_t n) { return or_no_memory(the_heap.allocate_zeroed(n)); }, plain,
     true, false},
    {"allocate_aligned",
     [](size_t a, size_t n) { return or_no_memory(the_heap.allocate_aligned(a < plain ? plain : a, n)); },
     size_t{1} << 30, false, false},
};

constexpr release all_releases[] = {
    {"release", [](void* p, size_t, size_t) { the_heap.release(p, "free"); }, false, false},
    {"release", [](void* p, size_t, size_t) { the_heap.release(p, "free"); }, true, false},
};

} // namespace

std::span<const allocation> allocations() {
    return all_allocations;
}
std::span<const release> releases() {
    return all_releases;
}

void* reallocate(void* p, size_t size) {
    return or_no_memory(the_heap.reallocate(p, size));
}
size_t usable_size(void* p) {
    return the_heap.usable_size(p, "malloc_usable_size");
}
void trim() {
    the_heap.trim();
}
bool owns(const void* p) {
    return the_heap.owns(p);
}

size_t live_bytes() {
    const std::lock_guard guard(lowtide::the_tide.ebbing);
    lowtide::account a;
    the_heap.fill(a);
    return a.live_bytes;
}

} // namespace stress::face
