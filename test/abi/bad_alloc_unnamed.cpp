// A program that names no exception type: std::bad_alloc must reach its catch all the same. In a static
// program nothing but Lowtide then asks the linker for what throwing one takes.
#include "check.h"

#include <cstddef>
#include <cstdint>
#include <new>

TEST(bad_alloc_reaches_a_handler_for_everything) {
    int caught = 0;
    for (int i = 0; i < 10; ++i) {
        try {
            (void)::operator new(SIZE_MAX);
        } catch (...) {
            ++caught;
        }
    }
    CHECK_EQUAL(caught, 10);
}

TEST(nothrow_needs_nothing_of_the_runtime) {
    CHECK(::operator new(SIZE_MAX, std::nothrow) == nullptr);
    CHECK(::operator new[](SIZE_MAX, std::align_val_t{64}, std::nothrow) == nullptr);
}
