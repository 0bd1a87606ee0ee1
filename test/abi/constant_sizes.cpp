// lowtide/alloc.h: sizes that the compiler knows.
#include "check.h"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <lowtide/alloc.h>
#include <lowtide/lowtide.h>
#include <malloc.h>
#include <utility>

template <std::size_t Size>
static void check_size() {
    at("alloc", Size, 0);
    const std::size_t before = mallinfo2().uordblks;
    void* const block = lowtide::alloc<Size>();
    REQUIRE(block);
    CHECK(lowtide_owns(block) == 1);
    CHECK(reinterpret_cast<std::uintptr_t>(block) % 16 == 0);
    CHECK(malloc_usable_size(block) >= Size);
    std::memset(block, 1, Size);
    errno = 77;
    lowtide::dealloc<Size>(block);
    CHECK_EQUAL(errno, 77);
    CHECK_EQUAL(mallinfo2().uordblks, before);
}

TEST(blocks_of_every_range_come_and_go) {
    [&]<std::size_t... Doubling>(std::index_sequence<Doubling...>) {
        (check_size<(std::size_t{1} << Doubling)>(), ...);
        (check_size<(std::size_t{3} << Doubling)>(), ...);
    }
    (std::make_index_sequence<26>{});
}

TEST(null_is_nothing) {
    lowtide::dealloc<100>(nullptr);
}

TEST(what_is_impossible_is_null) {
    errno = 0;
    CHECK(lowtide::alloc<PTRDIFF_MAX>() == nullptr);
    CHECK_EQUAL(errno, ENOMEM);
}
