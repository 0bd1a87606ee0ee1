// A magazine is a stack of pointers to free objects of one size class, 2 KiB large and 2 KiB-aligned. Its top
// alone says everything: the magazine is the 2 KiB that the word below the top lies in; it is full when the
// top has reached their end; the slot below the bottom holds 0, so a pop that reads 0 has found it empty.
//
// A magazine belongs to exactly one party: the word of a row, a depot, or the running code.
#pragma once

#include "front/fast_layout.h"

#include <cstddef>
#include <cstdint>

namespace lowtide {

inline constexpr unsigned magazine_words = MAGAZINE_BYTES / sizeof(void*);
// The first two words are the magazine's own, the third is the 0 below the lowest possible bottom.
inline constexpr unsigned max_magazine_capacity = magazine_words - 3;

struct magazine {
    uint32_t bottom; // index of the lowest slot: the capacity is what lies above
    uint32_t stored; // while it is in a depot: how many objects it has
    magazine* next;  // while it is in a depot
    void* slots[max_magazine_capacity + 1];

    static constexpr unsigned first_slot_word = 2;

    [[nodiscard]] void** word(unsigned index) { return reinterpret_cast<void**>(this) + index; }
    [[nodiscard]] unsigned capacity() const { return magazine_words - bottom; }

    // Only while it is ours, and empty or what it has lies where it will be looked for.
    void set_capacity(unsigned objects) {
        bottom = magazine_words - objects;
        *word(bottom - 1) = nullptr;
    }
};
static_assert(sizeof(magazine) == MAGAZINE_BYTES);

// A magazine in the hands of the running code: which, and how many objects are in it.
struct stock {
    magazine* m = nullptr;
    unsigned count = 0;

    [[nodiscard]] void** top() const { return m->word(m->bottom + count); }
    [[nodiscard]] void** objects() const { return m->word(m->bottom); }
    [[nodiscard]] bool full() const { return count == m->capacity(); }
    void push(void* p) { *m->word(m->bottom + count++) = p; }
    [[nodiscard]] void* pop() { return *m->word(m->bottom + --count); }

    // As a word of a row has it: the address of the top.
    [[nodiscard]] uint64_t packed() const { return reinterpret_cast<uintptr_t>(top()); }
    static stock unpacked(uint64_t top) {
        auto* m = reinterpret_cast<magazine*>((top - sizeof(void*)) & ~uint64_t{MAGAZINE_BYTES - 1});
        return {m, static_cast<unsigned>((top - reinterpret_cast<uintptr_t>(m)) / sizeof(void*)) - m->bottom};
    }
};

} // namespace lowtide
