// The heap of the programs that replace some operators: it counts what goes through it, serves from an array
// of its own, and stops the program if it is given a block that is not its own.
#ifndef LOWTIDE_TEST_ABI_REPLACEMENT_H
#define LOWTIDE_TEST_ABI_REPLACEMENT_H

#include "check.h"
#include "face.h"
#include "forms.h"

#include <cstdint>
#include <new>

struct replacement_heap {
    static constexpr std::size_t largest = 1 << 20;

    std::size_t allocated = 0, freed = 0, used = 0;
    alignas(4096) unsigned char memory[64 * largest] = {};

    // Throws where a replaced operator new must: its caller may be a nothrow form.
    void* allocate(std::size_t size, std::size_t alignment) {
        const std::size_t start = (used + alignment - 1) / alignment * alignment;
        if (size > largest || start + size > sizeof memory)
            throw std::bad_alloc();
        ++allocated;
        used = start + size + 1;
        return memory + start;
    }

    bool owns(const void* block) const {
        const auto place = reinterpret_cast<std::uintptr_t>(block);
        const auto first = reinterpret_cast<std::uintptr_t>(memory);
        return place >= first && place < first + sizeof memory;
    }

    void free(void* block) {
        if (!block)
            return;
        REQUIRE(owns(block));
        ++freed;
    }
};

// All forms that may free what `form` gives: they must reach the same heap as it does.
template <class Check>
void free_with_every_form_that_suits(const new_form& form, std::size_t size, Check check) {
    for (const delete_form& release : delete_forms) {
        if (!release.suits(form))
            continue;
        void* const block = form.get(size, 64);
        at(release.name, size, 64);
        REQUIRE(block);
        check(block, [&] { release.give(block, size, 64); });
    }
}

// The form is the program's: through the heap it goes, and back to it.
inline void check_forwarded(const new_form& form, replacement_heap& heap) {
    for (std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{100}, std::size_t{100000}})
        free_with_every_form_that_suits(form, size, [&](void* block, auto release) {
            CHECK(heap.owns(block));
            const std::size_t before = heap.freed;
            release();
            CHECK_EQUAL(heap.freed, before + 1);
        });
}

// The form stays Lowtide's: the heap sees nothing of it.
inline void check_ours(const new_form& form, const replacement_heap& heap) {
    for (std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{100}, std::size_t{100000}})
        free_with_every_form_that_suits(form, size, [&](void* block, auto release) {
            CHECK(lowtide.owns(block));
            const std::size_t allocated = heap.allocated, freed = heap.freed;
            release();
            CHECK_EQUAL(heap.allocated, allocated);
            CHECK_EQUAL(heap.freed, freed);
        });
}

// A replaced operator new that throws: its nothrow form returns nullptr instead, the others let it pass.
inline void check_throwing(const new_form& form, std::size_t size) {
    bool thrown = false;
    void* block = nullptr;
    at(form.name, size, 64);
    try {
        block = form.get(size, 64);
    } catch (const std::bad_alloc&) {
        thrown = true;
    }
    CHECK(block == nullptr);
    CHECK_EQUAL(thrown, !form.nothrow);
}

#endif
