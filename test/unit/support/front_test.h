// The front with everything below it, on fake pages and with the locked caches: no restartable sequences
// here.
#pragma once

#include "front/front.h"
#include "os/thread.h"
#include "support/fake_pages.h"
#include "support/zeroed.h"

#include <gtest/gtest.h>
#include <vector>

namespace lowtide::test {

// What the handler of wrong frees was told; a function pointer has no context.
struct wrong_free {
    free_error error;
    const void* object;
    size_class c;
};
inline std::vector<wrong_free> wrong_frees;

class front_test : public testing::Test {
protected:
    front_test() {
        lowtide_thread.slot = 0; // not another test's
        wrong_frees.clear();
        settings.rseq = false;
    }

    void start(unsigned cpus = 2) { caches.start(cpus, cpus); }

    std::vector<void*> take(size_class c, size_t count) {
        std::vector<void*> taken;
        for (size_t i = 0; i < count; ++i) {
            taken.push_back(caches.allocate(c));
            EXPECT_NE(taken.back(), nullptr);
        }
        return taken;
    }
    void give(size_class c, const std::vector<void*>& objects) {
        for (void* p : objects)
            caches.release(c, p);
    }

    // Objects that the program holds, as the tiers count them.
    size_t held(size_class c) {
        const class_counts n = slabs.counts(c);
        return n.objects - n.free_objects - caches.cached(c);
    }

    void expect_that_all_goes_back() {
        caches.drain();
        for (unsigned i = 1; i < all_classes; ++i)
            EXPECT_EQ(caches.cached(size_class{static_cast<uint8_t>(i)}), 0u);
        EXPECT_EQ(caches.words().magazines(), 0u);
        EXPECT_EQ(pages.counts().used_bytes, 0u);
    }

    static void note_wrong_free(free_error error, const void* object, size_class c) noexcept {
        wrong_frees.push_back({error, object, c});
    }
    static size_class class_of(size_t size) { return class_holding(size); }

    fake_pages fake;
    zeroed<fast_state> state;
    options settings;
    page_map* map = &state->map;
    metadata records{fake.source()};
    ceiling limits;
    page_tier pages{fake.source(), map, &records, &settings, &limits};
    run_tier runs{&pages, map, &records, fake.source()};
    slab_shards shards;
    slab_tier slabs{&shards, &pages, map, &records};
    depot magazines_waiting;
    chance samples;
    front caches{state.get(), &magazines_waiting, &samples, &slabs,    &runs,         &pages,
                 map,         &records,           &settings, fake.source(), note_wrong_free};
};

} // namespace lowtide::test
