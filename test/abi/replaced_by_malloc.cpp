// A program whose operator new(size) and operator delete(p) are malloc and free, and count: the sized forms
// go to it though the blocks are Lowtide's.
#include "check.h"
#include "forms.h"

#include <cstdlib>

static std::size_t allocated, freed;

void* operator new(std::size_t size) {
    ++allocated;
    return std::malloc(size);
}

void operator delete(void* block) noexcept {
    ++freed;
    std::free(block);
}

TEST(every_form_without_alignment_is_counted) {
    for (const new_form& allocate : new_forms)
        for (const delete_form& release : delete_forms) {
            if (allocate.aligned || !release.suits(allocate))
                continue;
            for (const std::size_t size : {16u, 100u, 3000u, 7168u, 100000u}) {
                at(release.name, size, 0);
                const std::size_t before = freed;
                void* const block = allocate.get(size, 16);
                REQUIRE(block);
                release.give(block, size, 16);
                CHECK_EQUAL(freed, before + 1);
                CHECK_EQUAL(freed, allocated);
            }
        }
}
