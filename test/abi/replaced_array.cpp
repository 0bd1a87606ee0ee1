// A program that replaces operator new[](size) and operator delete[](p) and nothing else: the other array
// forms without an alignment go to its own, everything else stays Lowtide's.
#include "replacement.h"

static replacement_heap heap;

void* operator new[](std::size_t size) {
    return heap.allocate(size, 16);
}

void operator delete[](void* block) noexcept {
    heap.free(block);
}

TEST(array_forms_without_alignment_are_forwarded) {
    for (const new_form& form : new_forms)
        if (form.array && !form.aligned)
            check_forwarded(form, heap);
}

TEST(all_other_forms_stay_lowtides) {
    for (const new_form& form : new_forms)
        if (!form.array || form.aligned)
            check_ours(form, heap);
}

TEST(the_nothrow_array_form_catches_what_the_replaced_one_throws) {
    for (const new_form& form : new_forms)
        if (form.array && !form.aligned)
            check_throwing(form, 2 * replacement_heap::largest);
}
