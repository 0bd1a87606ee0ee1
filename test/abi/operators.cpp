// The 20 forms of operator new and operator delete: each allocates, aligned, and each frees what it may free.
#include "check.h"
#include "face.h"
#include "forms.h"
#include "memory.h"
#include "sizes.h"

#include <cerrno>
#include <lowtide/lowtide.h> // as C++; what it declares is tested in C
#include <malloc.h>

static_assert(
    noexcept(lowtide_owns(nullptr)) && noexcept(lowtide_stats(nullptr)) && noexcept(lowtide_version()));

// Alignments to ask of a form; where it takes none, the one it must give.
static std::size_t last_alignment(const new_form& form) {
    return form.aligned ? 1 * MIB : 16;
}

static bool is_aligned(const void* block, std::size_t alignment) {
    return reinterpret_cast<std::uintptr_t>(block) % alignment == 0;
}

TEST(every_new_form_gives_aligned_blocks_of_ours) {
    for (const new_form& form : new_forms)
        for (std::size_t alignment = 16; alignment <= last_alignment(form); alignment *= 2)
            for (std::size_t size : sizes_of_every_range) {
                void* const block = form.get(size, alignment);
                at(form.name, size, alignment);
                REQUIRE(block);
                CHECK(lowtide.owns(block));
                CHECK(is_aligned(block, alignment));
                CHECK(malloc_usable_size(block) >= size);
                touch_ends(block, size);
                free(block); // the standard does not say so, but on Linux it always was
            }
}

TEST(every_size_through_every_new_form_is_16_aligned) {
    for (const new_form& form : new_forms) {
        void* held[5] = {};
        for (std::size_t size = 0; size <= 10000; ++size) {
            void*& block = held[size % std::size(held)];
            free(block);
            block = form.get(size, 1);
            at(form.name, size, 1);
            REQUIRE(block);
            CHECK(is_aligned(block, 16));
        }
        for (void* block : held)
            free(block);
    }
}

TEST(every_delete_form_frees_what_it_may) {
    for (const new_form& allocate : new_forms)
        for (const delete_form& release : delete_forms) {
            if (!release.suits(allocate))
                continue;
            for (std::size_t alignment = 16; alignment <= last_alignment(allocate); alignment *= 16)
                for (std::size_t size : sizes_of_every_range) {
                    const std::size_t before = mallinfo2().uordblks;
                    void* const block = allocate.get(size, alignment);
                    at(release.name, size, alignment);
                    REQUIRE(block);
                    CHECK_EQUAL(mallinfo2().uordblks - before, malloc_usable_size(block));
                    errno = 4711;
                    release.give(block, size, alignment);
                    CHECK_EQUAL(errno, 4711);
                    CHECK_EQUAL(mallinfo2().uordblks, before);
                }
        }
}

// The size is a hint: a wrong one must not make a block of one size pass for one of another.
TEST(a_sized_delete_with_a_wrong_size_frees_the_block_as_what_it_is) {
    for (const std::size_t size : {24u, 100u, 1000u, 5000u, 20000u})
        for (const std::size_t said : {0u, 16u, 90u, 300u, 2000u, 7000u, 7168u, 7169u, 100000u}) {
            at("operator delete(p, size)", size, said);
            const std::size_t before = mallinfo2().uordblks;
            void* const block = ::operator new(size);
            ::operator delete(block, said);
            CHECK_EQUAL(mallinfo2().uordblks, before);
            void* held[300];
            for (void*& each : held) {
                each = ::operator new(said);
                CHECK(malloc_usable_size(each) >= said);
            }
            for (void* each : held)
                ::operator delete(each, said);
            CHECK_EQUAL(mallinfo2().uordblks, before);
        }
}

TEST(every_delete_form_takes_null) {
    const std::size_t before = mallinfo2().uordblks;
    for (const delete_form& form : delete_forms) {
        form.give(nullptr, 0, 16);
        form.give(nullptr, 100, 64);
    }
    CHECK_EQUAL(mallinfo2().uordblks, before);
}

TEST(zero_bytes_through_every_new_form_are_a_block_of_their_own) {
    for (const new_form& form : new_forms) {
        void* const first = form.get(0, 32);
        void* const second = form.get(0, 32);
        at(form.name, 0, 32);
        CHECK(first && second && first != second);
        free(first);
        free(second);
    }
}

namespace {
struct alignas(256) wide {
    unsigned char bytes[256];
};
struct with_destructor { // its arrays have a cookie before them
    ~with_destructor() { ++destroyed; }
    int value = 7;
    static inline int destroyed = 0;
};
} // namespace

TEST(new_and_delete_expressions_come_out_even) {
    const std::size_t before = mallinfo2().uordblks;
    for (std::size_t count = 1; count < 2000; count += 17) {
        delete opaque(new int(1));
        delete[] opaque(new int[count]);
        wide* const one = opaque(new wide);
        wide* const many = opaque(new wide[count]);
        CHECK(is_aligned(one, 256) && is_aligned(many, 256));
        delete one;
        delete[] many;
        with_destructor::destroyed = 0;
        delete[] opaque(new with_destructor[count]);
        CHECK_EQUAL(with_destructor::destroyed, count);
    }
    CHECK_EQUAL(mallinfo2().uordblks, before);
}
