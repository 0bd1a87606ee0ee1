// A program that replaces operator new(size) and operator delete(p) and nothing else: every form without an
// alignment goes to its own, as the standard's defaults do, and those with one stay Lowtide's.
#include "replacement.h"

static replacement_heap heap;

void* operator new(std::size_t size) {
    return heap.allocate(size, 16);
}

void operator delete(void* block) noexcept {
    heap.free(block);
}

TEST(every_form_without_alignment_is_forwarded) {
    for (const new_form& form : new_forms)
        if (!form.aligned)
            check_forwarded(form, heap);
}

TEST(the_aligned_forms_stay_lowtides) {
    for (const new_form& form : new_forms)
        if (form.aligned)
            check_ours(form, heap);
}

TEST(nothrow_forms_catch_what_the_replaced_one_throws) {
    for (const new_form& form : new_forms)
        if (!form.aligned)
            check_throwing(form, 2 * replacement_heap::largest);
}

TEST(expressions_are_forwarded) {
    const std::size_t allocated = heap.allocated, freed = heap.freed;
    int* const one = opaque(new int(1));
    int* const many = opaque(new int[100]);
    int* const quiet = opaque(new (std::nothrow) int[100]);
    CHECK(heap.owns(one) && heap.owns(many) && heap.owns(quiet));
    delete one;
    delete[] many;
    delete[] quiet;
    CHECK_EQUAL(heap.allocated, allocated + 3);
    CHECK_EQUAL(heap.freed, freed + 3);
}
