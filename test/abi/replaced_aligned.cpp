// A program that replaces operator new(size, align) and operator delete(p, align) and nothing else: every
// aligned form goes to its own, and those without an alignment stay Lowtide's.
#include "replacement.h"

static replacement_heap heap;

void* operator new(std::size_t size, std::align_val_t alignment) {
    return heap.allocate(size, static_cast<std::size_t>(alignment));
}

void operator delete(void* block, std::align_val_t) noexcept {
    heap.free(block);
}

TEST(every_aligned_form_is_forwarded) {
    for (const new_form& form : new_forms)
        if (form.aligned)
            check_forwarded(form, heap);
}

TEST(the_forms_without_alignment_stay_lowtides) {
    for (const new_form& form : new_forms)
        if (!form.aligned)
            check_ours(form, heap);
}

TEST(aligned_nothrow_forms_catch_what_the_replaced_one_throws) {
    for (const new_form& form : new_forms)
        if (form.aligned)
            check_throwing(form, 2 * replacement_heap::largest);
}
