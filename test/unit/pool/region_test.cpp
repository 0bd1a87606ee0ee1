// Regions: where objects lie, what has a block of its own, limits, options, text, statistics, misuse.
#include "support/region_test.h"

#include <algorithm>
#include <cstring>
#include <cwchar>
#include <fcntl.h>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

// Of a request that can't be served a sanitizer's malloc would make an error.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() {
    return "allocator_may_return_null=1";
}
extern "C" const char* __tsan_default_options();
extern "C" const char* __tsan_default_options() {
    return "allocator_may_return_null=1";
}

namespace lowtide::test {
namespace {

constexpr size_t kib = 1024;
constexpr size_t mib = 1024 * kib;
constexpr size_t usual_quarter = 64 * kib; // of the largest chunk, by default

bool is_aligned(const void* p, size_t alignment) {
    return p != nullptr && reinterpret_cast<uintptr_t>(p) % alignment == 0;
}

bool same(const lowtide_region_statistics& a, const lowtide_region_statistics& b) {
    return std::memcmp(&a, &b, sizeof(a)) == 0;
}

// ---- objects

TEST(region_objects, are_aligned_to_16_and_apart) {
    const owned_region r = create_owned();
    std::vector<std::pair<char*, size_t>> objects;
    for (size_t size = 1; size < 3000; size += size / 7 + 1) {
        auto* p = static_cast<char*>(lowtide_region_alloc(r.get(), size));
        ASSERT_TRUE(is_aligned(p, 16)) << size;
        std::memset(p, static_cast<int>(size), size);
        objects.emplace_back(p, size);
    }
    for (const auto& [p, size] : objects)
        ASSERT_TRUE(std::all_of(p, p + size, [s = static_cast<char>(size)](char c) { return c == s; }))
            << size;
}

TEST(region_objects, have_any_alignment_up_to_1_mib) {
    for (const int guarded : {0, 1}) {
        const owned_region r = create_owned({.guarded = guarded});
        for (size_t alignment = 1; alignment <= LOWTIDE_REGION_MAX_ALIGNMENT; alignment *= 2) {
            for (const size_t size : {size_t{0}, size_t{1}, size_t{48}, size_t{5000}, size_t{100'000}}) {
                lowtide_region_alloc(r.get(), 16); // so that not all is aligned anyway
                void* p = lowtide_region_alloc_aligned(r.get(), alignment, size);
                ASSERT_TRUE(is_aligned(p, alignment)) << alignment << ", " << size;
                std::memset(p, 0x5a, size);
            }
        }
    }
}

TEST(region_objects, with_another_alignment_are_refused) {
    const owned_region r = create_owned();
    const auto before = stats_of(r.get());
    for (const size_t alignment : {size_t{0}, size_t{3}, size_t{12}, size_t{17}, size_t{24}, size_t{48},
                                   2 * mib, mib + 1, SIZE_MAX, SIZE_MAX / 2 + 1}) {
        for (const size_t size : {size_t{0}, size_t{8}, mib}) {
            errno = 0;
            EXPECT_EQ(lowtide_region_alloc_aligned(r.get(), alignment, size), nullptr) << alignment;
            EXPECT_EQ(errno, EINVAL) << alignment;
        }
    }
    EXPECT_TRUE(same(before, stats_of(r.get())));
}

TEST(region_objects, of_no_bytes_have_an_address) {
    const owned_region r = create_owned({.first_chunk = 512});
    lowtide_region_alloc(r.get(), stats_of(r.get()).free);
    ASSERT_EQ(stats_of(r.get()).free, 0u) << "the chunk is full";
    EXPECT_NE(lowtide_region_alloc(r.get(), 0), nullptr);
    EXPECT_TRUE(is_aligned(lowtide_region_alloc_aligned(r.get(), 4096, 0), 4096));
    EXPECT_NE(lowtide_region_calloc(r.get(), 0, 0), nullptr);
    EXPECT_NE(lowtide_region_calloc(r.get(), SIZE_MAX, 0), nullptr);
    EXPECT_NE(lowtide_region_memdup(r.get(), nullptr, 0), nullptr);
    EXPECT_EQ(lowtide_region_free(r.get(), lowtide_region_alloc(r.get(), 0)), 0);
}

TEST(region_objects, that_are_impossible_leave_the_region_as_it_was) {
    for (const int guarded : {0, 1}) {
        const owned_region r = create_owned({.guarded = guarded});
        auto* object = static_cast<char*>(lowtide_region_alloc(r.get(), 100));
        std::memset(object, 7, 100);
        const auto before = stats_of(r.get());
        for (size_t size = SIZE_MAX; size > size_t{1} << 47; size -= size < SIZE_MAX - 100 ? size / 3 : 1) {
            for (const size_t alignment : {size_t{16}, size_t{64}, size_t{4096}, mib}) {
                errno = 0;
                ASSERT_EQ(lowtide_region_alloc_aligned(r.get(), alignment, size), nullptr) << size;
                ASSERT_EQ(errno, ENOMEM) << size;
            }
        }
        EXPECT_TRUE(same(before, stats_of(r.get())));
        EXPECT_TRUE(std::all_of(object, object + 100, [](char c) { return c == 7; }));
        EXPECT_NE(lowtide_region_alloc(r.get(), 100), nullptr) << "it goes on";
    }
}

TEST(region_objects, by_calloc_are_zero_and_a_product_too_large_is_refused) {
    const owned_region r = create_owned({.warm_chunks = 4});
    for (int round = 0; round < 2; ++round) {
        for (const size_t size : {size_t{1}, size_t{100}, size_t{5000}, size_t{60'000}, size_t{200'000}}) {
            auto* p = static_cast<char*>(lowtide_region_calloc(r.get(), size, 2));
            ASSERT_NE(p, nullptr);
            ASSERT_TRUE(std::all_of(p, p + 2 * size, [](char c) { return c == 0; })) << size;
            std::memset(p, 0xff, 2 * size);
        }
        lowtide_region_reset(r.get());
    }
    const auto before = stats_of(r.get());
    for (const auto& [count, size] : {std::pair{SIZE_MAX, size_t{2}},
                                      {SIZE_MAX / 2 + 1, size_t{2}},
                                      {size_t{1} << 32, size_t{1} << 32},
                                      {SIZE_MAX, SIZE_MAX}}) {
        errno = 0;
        EXPECT_EQ(lowtide_region_calloc(r.get(), count, size), nullptr);
        EXPECT_EQ(errno, ENOMEM);
    }
    EXPECT_TRUE(same(before, stats_of(r.get())));
}

TEST(region_objects, succeed_with_errno_left_alone) {
    for (const int guarded : {0, 1}) {
        errno = 4711;
        owned_region r = create_owned({.warm_chunks = 1, .guarded = guarded});
        lowtide_region* child = create(r.get());
        for (const size_t size :
             {size_t{0}, size_t{10}, size_t{5000}, size_t{50'000}, size_t{500'000}, 50 * mib}) {
            void* object = lowtide_region_alloc(r.get(), size);
            lowtide_region_alloc_aligned(child, 4096, size);
            lowtide_region_free(r.get(), object);
        }
        lowtide_region_printf(r.get(), "%d %s %f", 5, "five", 5.0);
        at_end(r.get(), [] { errno = 4711; });
        lowtide_region_reset(r.get());
        stats_of(r.get());
        const int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
        EXPECT_EQ(lowtide_region_print(r.get(), fd), 0);
        close(fd);
        r.reset();
        EXPECT_EQ(errno, 4711);
    }
}

// ---- chunks

TEST(region_chunks, double_up_to_the_largest) {
    const owned_region r = create_owned();
    EXPECT_EQ(stats_of(r.get()).held, 4 * kib);
    std::vector<size_t> grown;
    size_t held = 4 * kib;
    while (grown.size() < 8) {
        ASSERT_NE(lowtide_region_alloc(r.get(), 1000), nullptr);
        if (const size_t now = stats_of(r.get()).held; now != held)
            grown.push_back(now - std::exchange(held, now));
    }
    const std::vector<size_t> expected = {8 * kib,   16 * kib,  32 * kib,  64 * kib,
                                          128 * kib, 256 * kib, 256 * kib, 256 * kib};
    EXPECT_EQ(grown, expected);
    EXPECT_EQ(stats_of(r.get()).chunks, 9u);
    EXPECT_EQ(stats_of(r.get()).blocks, 0u);
}

TEST(region_chunks, are_filled_to_their_end) {
    const owned_region r = create_owned();
    for (int i = 0; i < 3; ++i) {
        const auto before = stats_of(r.get());
        ASSERT_NE(lowtide_region_alloc(r.get(), before.free), nullptr);
        EXPECT_EQ(stats_of(r.get()).held, before.held);
        EXPECT_EQ(stats_of(r.get()).free, 0u);
        ASSERT_NE(lowtide_region_alloc(r.get(), 1), nullptr);
        EXPECT_GT(stats_of(r.get()).held, before.held);
    }
}

TEST(region_chunks, of_any_first_and_largest_size_work) {
    for (const size_t first : {size_t{512}, size_t{513}, size_t{1000}, size_t{4095}, size_t{4097}}) {
        for (const size_t largest : {first, first + 1, 2 * first, 3 * first + 5, size_t{300'001}}) {
            const owned_region r = create_owned({.first_chunk = first, .largest_chunk = largest});
            EXPECT_EQ(stats_of(r.get()).held, first);
            std::vector<char*> objects;
            for (size_t size = 1; size < 4000; size += 37) {
                objects.push_back(static_cast<char*>(lowtide_region_alloc(r.get(), size)));
                ASSERT_TRUE(is_aligned(objects.back(), 16));
                std::memset(objects.back(), static_cast<int>(size), size);
            }
            for (size_t size = 1, i = 0; size < 4000; size += 37, ++i)
                ASSERT_TRUE(std::all_of(objects[i], objects[i] + size,
                                        [size](char c) { return c == static_cast<char>(size); }))
                    << first << " " << largest;
        }
    }
}

TEST(region_chunks, go_with_reset_but_for_the_first) {
    const owned_region r = create_owned();
    const auto fresh = stats_of(r.get());
    for (int i = 0; i < 1000; ++i)
        lowtide_region_alloc(r.get(), 1000);
    lowtide_region_alloc(r.get(), mib);
    lowtide_region_reset(r.get());
    EXPECT_TRUE(same(fresh, stats_of(r.get())));
    lowtide_region_alloc(r.get(), 4000);
    EXPECT_EQ(stats_of(r.get()).held, 4 * kib + 8 * kib) << "they begin to grow anew";
}

TEST(region_chunks, that_are_warm_serve_again) {
    const owned_region r = create_owned({.warm_chunks = 2});
    const auto fill = [&] {
        for (int i = 0; i < 28; ++i) // 4 and 8 and 16 KiB
            lowtide_region_alloc(r.get(), 960);
    };
    fill();
    const auto full = stats_of(r.get());
    ASSERT_EQ(full.chunks, 3u);
    lowtide_region_reset(r.get());
    const auto warm = stats_of(r.get());
    EXPECT_EQ(warm.chunks, 3u);
    EXPECT_EQ(warm.held, full.held);
    EXPECT_GT(warm.free, 27 * kib);
    fill();
    EXPECT_EQ(stats_of(r.get()).held, full.held);
    lowtide_region_reset(r.get());
    lowtide_region_reset(r.get());
    EXPECT_EQ(stats_of(r.get()).held, full.held) << "unused ones stay warm";
}

TEST(region_chunks, stay_warm_in_the_number_asked_for) {
    for (unsigned number = 0; number < 6; ++number) {
        const owned_region r = create_owned({.warm_chunks = number});
        for (int round = 0; round < 3; ++round) {
            for (int i = 0; i < 200; ++i)
                lowtide_region_alloc(r.get(), 1000);
            lowtide_region_alloc(r.get(), mib);
            lowtide_region_reset(r.get());
            EXPECT_EQ(stats_of(r.get()).chunks, 1 + number);
            EXPECT_EQ(stats_of(r.get()).blocks, 0u);
        }
    }
}

// ---- blocks

TEST(region_blocks, are_for_what_is_larger_than_a_quarter_of_the_largest_chunk) {
    const owned_region r = create_owned();
    void* small = lowtide_region_alloc(r.get(), usual_quarter);
    EXPECT_EQ(stats_of(r.get()).blocks, 0u);
    void* large = lowtide_region_alloc(r.get(), 300 * kib);
    EXPECT_EQ(stats_of(r.get()).blocks, 1u);
    std::memset(large, 1, 300 * kib);
    EXPECT_EQ(lowtide_region_free(r.get(), small), 0);
    EXPECT_EQ(lowtide_region_free(r.get(), large), 1);
    EXPECT_EQ(stats_of(r.get()).blocks, 0u);
}

TEST(region_blocks, are_for_all_that_is_so_large_whatever_room_the_chunk_has) {
    const owned_region r = create_owned({.first_chunk = mib, .largest_chunk = mib});
    ASSERT_GT(stats_of(r.get()).free, 900 * kib);
    for (const size_t alignment : {size_t{16}, size_t{64}}) {
        void* object = lowtide_region_alloc_aligned(r.get(), alignment, 256 * kib + 1);
        EXPECT_EQ(stats_of(r.get()).blocks, 1u);
        EXPECT_EQ(lowtide_region_free(r.get(), object), 1);
    }
    void* object = lowtide_region_alloc(r.get(), 256 * kib);
    EXPECT_EQ(stats_of(r.get()).blocks, 0u);
    EXPECT_EQ(lowtide_region_free(r.get(), object), 0);
    EXPECT_EQ(stats_of(r.get()).held, mib);
}

TEST(region_blocks, give_their_memory_back_when_they_are_freed) {
    for (const int guarded : {0, 1}) {
        const owned_region r = create_owned({.guarded = guarded});
        const size_t before = stats_of(r.get()).held;
        void* blocks[3];
        for (void*& b : blocks)
            b = lowtide_region_alloc(r.get(), mib);
        EXPECT_GE(stats_of(r.get()).held, before + 3 * mib);
        EXPECT_EQ(lowtide_region_free(r.get(), blocks[1]), 1);
        EXPECT_EQ(lowtide_region_free(r.get(), blocks[0]), 1);
        EXPECT_EQ(stats_of(r.get()).blocks, 1u);
        EXPECT_EQ(lowtide_region_free(r.get(), blocks[2]), 1);
        EXPECT_EQ(stats_of(r.get()).held, before);
    }
}

TEST(region_blocks, are_freed_whatever_their_alignment) {
    const owned_region r = create_owned();
    const size_t before = stats_of(r.get()).held;
    for (size_t alignment = 16; alignment <= mib; alignment *= 2) {
        void* block = lowtide_region_alloc_aligned(r.get(), alignment, 100'000);
        ASSERT_TRUE(is_aligned(block, alignment));
        EXPECT_EQ(lowtide_region_free(r.get(), block), 1);
    }
    void* page = lowtide_region_alloc_aligned(r.get(), mib, 1);
    EXPECT_EQ(lowtide_region_free(r.get(), page), 1) << "so large an alignment";
    EXPECT_EQ(stats_of(r.get()).held, before);
}

TEST(region_blocks, are_all_that_free_frees) {
    const owned_region r = create_owned({.name = "a name of thirty-one characters"});
    auto* first = static_cast<char*>(lowtide_region_alloc(r.get(), 100));
    auto* block = static_cast<char*>(lowtide_region_alloc(r.get(), mib));
    lowtide_region* child = create(r.get());
    void* of_child = lowtide_region_alloc(child, mib);
    std::memset(first, 0xff, 100);
    std::memset(block, 0xff, mib);
    const auto before = stats_of(r.get());
    errno = 4711;
    EXPECT_EQ(lowtide_region_free(r.get(), nullptr), 0);
    EXPECT_EQ(lowtide_region_free(r.get(), first), 0);
    EXPECT_EQ(lowtide_region_free(r.get(), first + 1), 0);
    EXPECT_EQ(lowtide_region_free(r.get(), first + 64), 0);
    EXPECT_EQ(lowtide_region_free(r.get(), block + 1), 0);
    EXPECT_EQ(lowtide_region_free(r.get(), block + 8), 0);
    EXPECT_EQ(lowtide_region_free(r.get(), block + 64), 0);
    EXPECT_EQ(lowtide_region_free(r.get(), block + mib - 16), 0);
    EXPECT_EQ(errno, 4711);
    EXPECT_TRUE(same(before, stats_of(r.get())));
    EXPECT_EQ(lowtide_region_free(r.get(), block), 1);
    EXPECT_EQ(lowtide_region_free(child, of_child), 1);
}

TEST(region_blocks_death, of_others_and_freed_ones_end_the_program) {
    const owned_region r = create_owned();
    const owned_region other = create_owned();
    void* block = lowtide_region_alloc(r.get(), mib);
    void* of_child = lowtide_region_alloc(create(r.get()), mib);
    EXPECT_DEATH(lowtide_region_free(other.get(), block),
                 "lowtide: lowtide_region_free of 0x.*: it is another region's");
    EXPECT_DEATH(lowtide_region_free(r.get(), of_child), "it is another region's");
    const owned_region guarded = create_owned({.guarded = 1});
    void* object = lowtide_region_alloc(guarded.get(), 100);
    EXPECT_EQ(lowtide_region_free(guarded.get(), object), 0);
    alignas(16) static char foreign[200];
    EXPECT_DEATH(lowtide_region_free(guarded.get(), foreign + 96), "it is not this region's");
    EXPECT_EQ(lowtide_region_free(r.get(), foreign + 96), 0) << "nobody looks for it";
}

TEST(region_blocks, of_every_chunks_first_object_are_none) {
    for (const int guarded : {0, 1}) {
        const owned_region r = create_owned({.first_chunk = 512, .guarded = guarded});
        for (int i = 0; i < 2000; ++i)
            ASSERT_EQ(lowtide_region_free(r.get(), lowtide_region_alloc(r.get(), 128)), 0);
    }
}

// ---- limits

TEST(region_limit, forbids_what_is_beyond_it) {
    const owned_region r = create_owned({.limit = 100 * kib});
    EXPECT_EQ(stats_of(r.get()).limit, 100 * kib);
    errno = 0;
    EXPECT_EQ(lowtide_region_alloc(r.get(), 100 * kib), nullptr);
    EXPECT_EQ(errno, EDQUOT);
    EXPECT_EQ(stats_of(r.get()).refused, 1u);
    size_t got = 0;
    while (lowtide_region_alloc(r.get(), 1000) != nullptr)
        ++got;
    EXPECT_EQ(errno, EDQUOT);
    EXPECT_GT(got, 90u) << "near the limit no more is taken than is needed";
    EXPECT_LE(stats_of(r.get()).held, 100 * kib);
    EXPECT_EQ(stats_of(r.get()).refused, 2u);
    lowtide_region_reset(r.get());
    EXPECT_NE(lowtide_region_alloc(r.get(), 90 * kib), nullptr) << "the bytes came back";
    EXPECT_EQ(stats_of(r.get()).refused, 2u);
}

TEST(region_limit, may_be_used_up_exactly) {
    const owned_region r = create_owned({.limit = 4 * kib + 100 * kib});
    void* block = lowtide_region_alloc(r.get(), 100 * kib - 64);
    ASSERT_NE(block, nullptr);
    while (lowtide_region_alloc(r.get(), 1) != nullptr) {
    }
    EXPECT_LE(stats_of(r.get()).held, 104 * kib);
    EXPECT_EQ(lowtide_region_free(r.get(), block), 1);
    EXPECT_NE(lowtide_region_alloc(r.get(), 100 * kib - 64), nullptr);
}

TEST(region_limit, of_an_ancestor_holds_for_all_below_it) {
    const owned_region top = create_owned({.name = "top", .limit = 100 * kib});
    lowtide_region* middle = create(top.get(), {.limit = 10 * mib});
    lowtide_region* low = create(middle);
    lowtide_region* lowest = create(low, {.limit = 20 * kib});
    ASSERT_NE(lowest, nullptr);
    errno = 0;
    EXPECT_EQ(lowtide_region_alloc(lowest, 19 * kib), nullptr);
    EXPECT_EQ(errno, EDQUOT);
    EXPECT_EQ(stats_of(lowest).refused, 1u);
    errno = 0;
    EXPECT_EQ(lowtide_region_alloc(low, 90 * kib), nullptr);
    EXPECT_EQ(errno, EDQUOT);
    EXPECT_EQ(stats_of(top.get()).refused, 1u) << "it was the one that refused";
    EXPECT_EQ(stats_of(middle).refused, 0u);
    EXPECT_EQ(stats_of(low).refused, 0u);
    ASSERT_NE(lowtide_region_alloc(low, 80 * kib), nullptr);
    EXPECT_EQ(lowtide_region_alloc(middle, 20 * kib), nullptr);
    EXPECT_EQ(create(low, {.first_chunk = 8 * kib}), nullptr);
    EXPECT_EQ(errno, EDQUOT);
    EXPECT_EQ(stats_of(top.get()).refused, 3u);
    EXPECT_EQ(stats_of(low).children, 1u);
    EXPECT_NE(lowtide_region_alloc(top.get(), 1 * kib), nullptr) << "it can still be used";
    EXPECT_EQ(stats_of(top.get()).tree_held, 16 * kib + stats_of(low).held - 4 * kib);
    lowtide_region_destroy(low);
    EXPECT_EQ(stats_of(top.get()).tree_held, 8 * kib);
    EXPECT_NE(lowtide_region_alloc(middle, 90 * kib), nullptr) << "the bytes came back";
    lowtide_region_reset(middle);
    EXPECT_NE(lowtide_region_alloc(top.get(), 90 * kib), nullptr);
}

TEST(region_limit, counts_children_and_warm_chunks) {
    const owned_region r = create_owned({.limit = 64 * kib, .warm_chunks = 8});
    std::vector<lowtide_region*> children;
    while (lowtide_region* child = create(r.get()))
        children.push_back(child);
    EXPECT_EQ(errno, EDQUOT);
    EXPECT_EQ(children.size(), 15u);
    for (lowtide_region* child : children)
        lowtide_region_destroy(child);
    EXPECT_EQ(stats_of(r.get()).tree_held, 4 * kib);
    while (lowtide_region_alloc(r.get(), 1000) != nullptr) {
    }
    lowtide_region_reset(r.get());
    EXPECT_EQ(lowtide_region_alloc(r.get(), 70 * kib), nullptr);
    size_t got = 0;
    while (lowtide_region_alloc(r.get(), 1000) != nullptr)
        ++got;
    EXPECT_GT(got, 50u) << "the warm chunks serve";
    EXPECT_LE(stats_of(r.get()).held, 64 * kib);
}

TEST(region_limit, too_small_for_the_region_itself_forbids_it) {
    errno = 0;
    EXPECT_EQ(create(nullptr, {.limit = 4 * kib - 1}), nullptr);
    EXPECT_EQ(errno, EDQUOT);
    const owned_region r = create_owned({.limit = 4 * kib});
    EXPECT_NE(lowtide_region_alloc(r.get(), 1000), nullptr);
    EXPECT_EQ(lowtide_region_alloc(r.get(), 4 * kib), nullptr);
    EXPECT_NE(lowtide_region_alloc(r.get(), 1000), nullptr);
    const owned_region largest = create_owned({.limit = SIZE_MAX});
    EXPECT_NE(lowtide_region_alloc(largest.get(), mib), nullptr);
}

TEST(region_limit, makes_a_cleanup_and_a_text_fail_too) {
    const owned_region r = create_owned({.first_chunk = 512, .limit = 512});
    lowtide_region_alloc(r.get(), stats_of(r.get()).free);
    errno = 0;
    EXPECT_EQ(lowtide_region_add_cleanup(
                  r.get(), [](void*) {}, nullptr),
              -1);
    EXPECT_EQ(errno, EDQUOT);
    EXPECT_EQ(lowtide_region_strdup(r.get(), "text"), nullptr);
    EXPECT_EQ(lowtide_region_strndup(r.get(), "text", 2), nullptr);
    EXPECT_EQ(lowtide_region_printf(r.get(), "text"), nullptr);
    EXPECT_EQ(lowtide_region_calloc(r.get(), 1, 1), nullptr);
    EXPECT_EQ(lowtide_region_memdup(r.get(), "text", 4), nullptr);
    EXPECT_EQ(stats_of(r.get()).refused, 6u);
    EXPECT_EQ(stats_of(r.get()).cleanups, 0u);
}

// ---- options

void expect_invalid(const lowtide_region_options& options) {
    errno = 0;
    EXPECT_EQ(lowtide_region_create(nullptr, &options), nullptr);
    EXPECT_EQ(errno, EINVAL);
    const owned_region parent = create_owned();
    EXPECT_EQ(lowtide_region_create(parent.get(), &options), nullptr);
    EXPECT_EQ(stats_of(parent.get()).children, 0u);
}

TEST(region_options, that_are_wrong_are_refused) {
    expect_invalid(shape{.first_chunk = 1}.options());
    expect_invalid(shape{.first_chunk = 511}.options());
    expect_invalid(shape{.largest_chunk = 511}.options());
    expect_invalid(shape{.largest_chunk = 1}.options());
    expect_invalid(shape{.first_chunk = 8192, .largest_chunk = 8191}.options());
    expect_invalid(shape{.largest_chunk = 64 * mib + 1}.options());
    expect_invalid(shape{.first_chunk = 64 * mib + 1}.options());
    expect_invalid(shape{.first_chunk = SIZE_MAX}.options());
    expect_invalid(shape{.largest_chunk = SIZE_MAX}.options());
    for (const size_t size : {size_t{0}, sizeof(size_t) - 1, size_t{4097}, SIZE_MAX}) {
        lowtide_region_options options = shape{}.options();
        options.size = size;
        expect_invalid(options);
    }
}

TEST(region_options, that_are_zero_have_the_usual_values) {
    const owned_region by_null(lowtide_region_create(nullptr, nullptr));
    const owned_region by_zeros = create_owned();
    EXPECT_TRUE(same(stats_of(by_null.get()), stats_of(by_zeros.get())));
    EXPECT_STREQ(lowtide_region_name(by_null.get()), "");
    EXPECT_EQ(lowtide_region_parent(by_null.get()), nullptr);
    const owned_region small = create_owned({.largest_chunk = 1 * kib});
    EXPECT_EQ(stats_of(small.get()).held, 1 * kib);
    const owned_region large = create_owned({.first_chunk = mib});
    EXPECT_EQ(stats_of(large.get()).held, mib);
    const owned_region largest = create_owned({.first_chunk = 64 * mib, .largest_chunk = 64 * mib});
    EXPECT_EQ(stats_of(largest.get()).held, 64 * mib);
}

TEST(region_options, of_an_earlier_version_have_fewer_fields) {
    lowtide_region_options options = shape{.name = "old", .first_chunk = 8192, .limit = 1}.options();
    options.size = offsetof(lowtide_region_options, largest_chunk);
    const owned_region r(lowtide_region_create(nullptr, &options));
    ASSERT_NE(r, nullptr);
    EXPECT_STREQ(lowtide_region_name(r.get()), "old");
    EXPECT_EQ(stats_of(r.get()).held, 8192u);
    EXPECT_EQ(stats_of(r.get()).limit, 0u) << "the caller doesn't know it";
    options.size = sizeof(size_t);
    const owned_region bare(lowtide_region_create(nullptr, &options));
    EXPECT_STREQ(lowtide_region_name(bare.get()), "");
}

TEST(region_options, of_a_later_version_may_have_more_fields_that_are_0) {
    struct later {
        lowtide_region_options known;
        size_t more[3];
    } options{shape{.name = "new", .first_chunk = 8192}.options(), {}};
    options.known.size = sizeof(options);
    {
        const owned_region r(lowtide_region_create(nullptr, &options.known));
        ASSERT_NE(r, nullptr);
        EXPECT_STREQ(lowtide_region_name(r.get()), "new");
    }
    options.more[2] = 1;
    errno = 0;
    EXPECT_EQ(lowtide_region_create(nullptr, &options.known), nullptr);
    EXPECT_EQ(errno, EINVAL);
}

TEST(region_options, cut_a_name_off) {
    std::string name = "0123456789012345678901234567890123456789";
    const owned_region r = create_owned({.name = name.c_str()});
    const char* known = lowtide_region_name(r.get());
    name = "gone";
    EXPECT_STREQ(known, "0123456789012345678901234567890");
    lowtide_region_reset(r.get());
    EXPECT_STREQ(known, "0123456789012345678901234567890");
}

TEST(region_options, leave_all_but_288_bytes_of_the_first_chunk) {
    const owned_region r = create_owned({.first_chunk = 512});
    EXPECT_GE(stats_of(r.get()).free, 512u - 288u);
}

// ---- text

TEST(region_text, is_copied) {
    const owned_region r = create_owned();
    char text[] = "some text";
    char* copy = lowtide_region_strdup(r.get(), text);
    char* part = lowtide_region_strndup(r.get(), text, 4);
    char* all = lowtide_region_strndup(r.get(), text, SIZE_MAX);
    char* none = lowtide_region_strndup(r.get(), text, 0);
    const char unterminated[3] = {'a', 'b', 'c'};
    char* three = lowtide_region_strndup(r.get(), unterminated, 3);
    char* empty = lowtide_region_strdup(r.get(), "");
    const char bytes[] = "a\0b";
    void* raw = lowtide_region_memdup(r.get(), bytes, sizeof(bytes));
    std::memset(text, 'x', 9);
    EXPECT_STREQ(copy, "some text");
    EXPECT_STREQ(part, "some");
    EXPECT_STREQ(all, "some text");
    EXPECT_STREQ(none, "");
    EXPECT_STREQ(three, "abc");
    EXPECT_STREQ(empty, "");
    EXPECT_EQ(std::memcmp(raw, bytes, sizeof(bytes)), 0);
    const std::string long_text(300'000, 'l');
    EXPECT_EQ(lowtide_region_strdup(r.get(), long_text.c_str()), long_text);
}

TEST(region_text, is_printed_with_any_length_and_any_rest_of_the_chunk) {
    const owned_region r = create_owned({.first_chunk = 1024, .largest_chunk = 4096});
    for (const size_t length : {0, 1, 14, 15, 16, 17, 31, 500, 1000, 5000, 100'000}) {
        const std::string text(length, 't');
        for (size_t rest = 0; rest <= 64; rest += 16) {
            lowtide_region_reset(r.get());
            lowtide_region_alloc(r.get(), stats_of(r.get()).free - rest);
            ASSERT_EQ(stats_of(r.get()).free, rest);
            char* printed = lowtide_region_printf(r.get(), "%s", text.c_str());
            char* next = lowtide_region_strdup(r.get(), "next");
            ASSERT_EQ(printed, text) << rest;
            ASSERT_STREQ(next, "next");
        }
    }
}

TEST(region_text, that_fits_exactly_takes_no_chunk) {
    const owned_region r = create_owned();
    const auto before = stats_of(r.get());
    const std::string text(before.free - 1, 't');
    EXPECT_EQ(lowtide_region_printf(r.get(), "%s", text.c_str()), text);
    EXPECT_EQ(stats_of(r.get()).held, before.held);
    EXPECT_EQ(stats_of(r.get()).free, 0u);
    lowtide_region_reset(r.get());
    EXPECT_EQ(lowtide_region_printf(r.get(), "%s!", text.c_str()), text + "!");
    EXPECT_GT(stats_of(r.get()).held, before.held);
}

TEST(region_text, is_printed_twice_with_the_same_arguments) {
    const owned_region r = create_owned({.first_chunk = 512});
    lowtide_region_alloc(r.get(), stats_of(r.get()).free);
    EXPECT_STREQ(lowtide_region_printf(r.get(), "%s %d %.2f %c %zu", "a", 1, 2.5, 'c', size_t{3}),
                 "a 1 2.50 c 3");
}

TEST(region_text, that_printf_refuses_is_null_with_its_errno) {
    const owned_region r = create_owned();
    const auto before = stats_of(r.get());
    errno = 0;
    EXPECT_EQ(lowtide_region_printf(r.get(), "%lc", wint_t{0x20ac}),
              nullptr); // there is no such letter in ASCII
    EXPECT_EQ(errno, EILSEQ);
    EXPECT_TRUE(same(before, stats_of(r.get())));
}

// ---- statistics and print

size_t sum_held(const std::vector<lowtide_region*>& all) {
    size_t sum = 0;
    for (lowtide_region* r : all)
        sum += stats_of(r).held;
    return sum;
}

TEST(region_statistics, of_a_tree_sum_up) {
    const owned_region top = create_owned();
    std::vector<lowtide_region*> all = {top.get()};
    for (size_t i = 0; i < 50; ++i) {
        lowtide_region* r = create(all[i / 3]);
        for (size_t n = 0; n < i; ++n)
            lowtide_region_alloc(r, 100 * i);
        lowtide_region_alloc(r, 10'000 * i);
        all.push_back(r);
    }
    EXPECT_EQ(stats_of(top.get()).tree_held, sum_held(all));
    EXPECT_EQ(stats_of(all[1]).children, 3u);
    EXPECT_EQ(stats_of(all[50]).tree_held, stats_of(all[50]).held);
    EXPECT_EQ(stats_of(top.get()).cleanups, 0u);
    at_end(top.get(), [] {});
    EXPECT_EQ(stats_of(top.get()).cleanups, 1u);
    EXPECT_EQ(stats_of(top.get()).children, 3u);
}

TEST(region_statistics, fill_what_their_size_covers) {
    const owned_region r = create_owned();
    lowtide_region_statistics s;
    std::memset(&s, 0x55, sizeof(s));
    s.size = offsetof(lowtide_region_statistics, free);
    EXPECT_EQ(lowtide_region_stats(r.get(), &s), 0);
    EXPECT_EQ(s.size, offsetof(lowtide_region_statistics, free));
    EXPECT_EQ(s.held, 4 * kib);
    EXPECT_EQ(s.free, 0x5555555555555555u);
    struct {
        lowtide_region_statistics known;
        size_t unknown;
    } newer;
    std::memset(&newer, 0x55, sizeof(newer));
    newer.known.size = sizeof(newer);
    EXPECT_EQ(lowtide_region_stats(r.get(), &newer.known), 0);
    EXPECT_EQ(newer.known.size, sizeof(newer.known));
    EXPECT_EQ(newer.unknown, 0x5555555555555555u);
    s.size = sizeof(size_t) - 1;
    errno = 0;
    EXPECT_EQ(lowtide_region_stats(r.get(), &s), -1);
    EXPECT_EQ(errno, EINVAL);
    EXPECT_EQ(lowtide_region_stats(r.get(), nullptr), -1);
}

std::string printed(const lowtide_region* r) {
    const int fd = memfd_create("print", MFD_CLOEXEC);
    EXPECT_EQ(lowtide_region_print(r, fd), 0);
    std::string text(static_cast<size_t>(lseek(fd, 0, SEEK_END)), '\0');
    EXPECT_EQ(pread(fd, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    close(fd);
    return text;
}

TEST(region_print, has_a_line_for_each_with_children_indented) {
    const owned_region top = create_owned({.name = "top", .limit = mib});
    lowtide_region* old = create(top.get(), {.name = "old"});
    lowtide_region_alloc(create(old, {.name = "of old"}), 100 * kib);
    lowtide_region* young = create(top.get(), {.guarded = 1});
    at_end(young, [] {});
    EXPECT_EQ(lowtide_region_alloc(top.get(), mib), nullptr);
    const std::string text = printed(top.get());
    EXPECT_NE(text.find("region top: 4 KiB in 1 chunks and 0 blocks, "), std::string::npos) << text;
    EXPECT_NE(text.find(", limit 1 MiB, 1 refused\n"), std::string::npos) << text;
    EXPECT_NE(text.find("\n  region -: 12 KiB in 2 chunks and 0 blocks, "), std::string::npos) << text;
    EXPECT_NE(text.find(" free, 1 cleanups\n  region old: "), std::string::npos) << text;
    EXPECT_NE(text.find("\n    region of old: 104.0 KiB in 1 chunks and 1 blocks, "), std::string::npos)
        << text;
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 4);
    EXPECT_EQ(printed(old).substr(0, 12), "region old: ") << "what it starts with isn't indented";
}

TEST(region_print, of_a_large_tree_is_whole) {
    const owned_region top = create_owned({.first_chunk = 512});
    lowtide_region* deep = top.get();
    for (int i = 0; i < 100; ++i) {
        create(deep, {.name = "leaf", .first_chunk = 512});
        deep = create(deep, {.name = "branch", .first_chunk = 512});
        create(deep, {.name = "leaf", .first_chunk = 512});
    }
    const std::string text = printed(top.get());
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 301);
    EXPECT_NE(text.find("\n" + std::string(40, ' ') + "region branch"), std::string::npos);
    EXPECT_NE(text.find("\n" + std::string(40, ' ') + "(100) region branch"), std::string::npos);
    EXPECT_EQ(text.find(std::string(41, ' ')), std::string::npos) << "no more indentation than that";
}

TEST(region_print, has_no_control_characters_of_names) {
    const owned_region r = create_owned({.name = "a\nb\x1b[31mc"});
    EXPECT_NE(printed(r.get()).find("region a?b?[31mc: "), std::string::npos);
}

TEST(region_print, that_cannot_be_written_is_eio) {
    const owned_region r = create_owned();
    const int closed = dup(2);
    close(closed);
    for (const int fd : {-1, closed}) {
        errno = 0;
        EXPECT_EQ(lowtide_region_print(r.get(), fd), -1);
        EXPECT_EQ(errno, EIO);
    }
    const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    errno = 0;
    EXPECT_EQ(lowtide_region_print(r.get(), full), -1);
    EXPECT_EQ(errno, EIO);
    close(full);
}

// ---- handles and parents

TEST(region_handle, becomes_null_whoever_destroys_the_region) {
    lowtide_region* top = create();
    lowtide_region* top_handle = top;
    lowtide_region_set_handle(top, &top_handle);
    lowtide_region* handles[4];
    for (lowtide_region*& h : handles) {
        h = create(top);
        lowtide_region_set_handle(h, &h);
        EXPECT_EQ(lowtide_region_parent(h), top);
    }
    lowtide_region_destroy(handles[1]);
    EXPECT_EQ(handles[1], nullptr);
    lowtide_region_reset(handles[0]);
    EXPECT_NE(handles[0], nullptr);
    lowtide_region* forgotten = handles[2];
    lowtide_region_set_handle(handles[2], nullptr);
    lowtide_region_reset(top);
    EXPECT_EQ(handles[0], nullptr);
    EXPECT_EQ(handles[2], forgotten) << "it has no handle any more";
    EXPECT_EQ(handles[3], nullptr);
    EXPECT_NE(top_handle, nullptr);
    lowtide_region_destroy(top);
    EXPECT_EQ(top_handle, nullptr);
    lowtide_region_destroy(nullptr);
}

TEST(region_handle, may_lie_in_the_region_itself_or_its_parent) {
    const owned_region top = create_owned();
    lowtide_region* child = create(top.get());
    auto** in_parent = static_cast<lowtide_region**>(lowtide_region_alloc(top.get(), sizeof(child)));
    *in_parent = child;
    lowtide_region_set_handle(child, in_parent);
    lowtide_region* other = create(top.get());
    auto** in_itself = static_cast<lowtide_region**>(lowtide_region_alloc(other, mib));
    *in_itself = other;
    lowtide_region_set_handle(other, in_itself);
    lowtide_region_destroy(child);
    EXPECT_EQ(*in_parent, nullptr);
    lowtide_region_reset(top.get());
}

// ---- misuse

TEST(region_death, of_null_names_the_call) {
    lowtide_region* none = nullptr;
    lowtide_region_statistics s{};
    s.size = sizeof(s);
    EXPECT_DEATH(lowtide_region_reset(none), last_words("lowtide_region_reset"));
    EXPECT_DEATH(lowtide_region_calloc(none, 0, 0), "");
    EXPECT_DEATH((void)lowtide_region_alloc_slow(none, 16, 10), last_words("allocation from a region"));
    EXPECT_DEATH(lowtide_region_free(none, &s), last_words("lowtide_region_free"));
    EXPECT_DEATH(lowtide_region_add_cleanup(
                     none, [](void*) {}, nullptr),
                 last_words("lowtide_region_add_cleanup"));
    EXPECT_DEATH(lowtide_region_remove_cleanup(
                     none, [](void*) {}, nullptr),
                 last_words("lowtide_region_remove_cleanup"));
    EXPECT_DEATH(lowtide_region_set_handle(none, nullptr), last_words("lowtide_region_set_handle"));
    EXPECT_DEATH(lowtide_region_parent(none), last_words("lowtide_region_parent"));
    EXPECT_DEATH(lowtide_region_name(none), last_words("lowtide_region_name"));
    EXPECT_DEATH(lowtide_region_stats(none, &s), last_words("lowtide_region_stats"));
    EXPECT_DEATH(lowtide_region_print(none, 2), last_words("lowtide_region_print"));
    EXPECT_DEATH(lowtide_region_printf(none, "x"), last_words("lowtide_region_printf"));
}

TEST(region_death, of_one_destroyed_twice) {
    EXPECT_DEATH(
        {
            lowtide_region* r = create();
            lowtide_region_destroy(r);
            lowtide_region_destroy(r);
        },
        last_words("lowtide_region_destroy"));
    EXPECT_DEATH(
        {
            const owned_region top = create_owned();
            lowtide_region* child = create(top.get(), {.first_chunk = 512});
            lowtide_region_reset(top.get());
            lowtide_region_destroy(child);
        },
        last_words("lowtide_region_destroy"));
}

TEST(region_death, of_a_child_under_one_that_was_destroyed) {
    EXPECT_DEATH(
        {
            lowtide_region* r = create();
            lowtide_region_destroy(r);
            create(r);
        },
        last_words("lowtide_region_create under a parent"));
}

TEST(region_limits, cost_what_reset_has_kept_before_they_refuse) {
    lowtide_region_options options{};
    options.size = sizeof(options);
    options.limit = 64 * kib;
    options.largest_chunk = 32 * kib;
    options.warm_chunks = 4;
    lowtide_region* r = lowtide_region_create(nullptr, &options);
    ASSERT_NE(r, nullptr);
    for (int i = 0; i < 50; ++i)
        ASSERT_NE(lowtide_region_alloc(r, 1000), nullptr);
    lowtide_region_reset(r);
    EXPECT_NE(lowtide_region_alloc(r, 50 * kib), nullptr) << "warm chunks were in the way";
    lowtide_region_destroy(r);
}

TEST(region_death, of_other_memory) {
    alignas(16) char memory[1024];
    std::memset(memory, 0x5a, sizeof(memory));
    auto* wrong = reinterpret_cast<lowtide_region*>(memory);
    EXPECT_DEATH(lowtide_region_destroy(wrong), last_words("lowtide_region_destroy"));
    EXPECT_DEATH(lowtide_region_reset(wrong), last_words("lowtide_region_reset"));
    EXPECT_DEATH(create(wrong), last_words("lowtide_region_create under a parent"));
    const owned_region r = create_owned();
    auto* object = static_cast<lowtide_region*>(lowtide_region_calloc(r.get(), 1, 1000));
    EXPECT_DEATH(lowtide_region_destroy(object), last_words("lowtide_region_destroy"));
}

} // namespace
} // namespace lowtide::test
