// What operator new does with impossible sizes: std::bad_alloc, which the program can catch as such, or
// nullptr.
#include "check.h"
#include "forms.h"
#include "limit.h"
#include "sizes.h"

#include <cerrno>
#include <cstring>
#include <exception>
#include <malloc.h>
#include <memory>
#include <new>
#include <pthread.h>
#include <string>
#include <typeinfo>
#include <vector>

static bool throws_bad_alloc(const new_form& form, std::size_t size, std::size_t alignment) {
    try {
        form.get(size, alignment);
    } catch (const std::bad_alloc&) {
        return true;
    }
    return false;
}

static void check_refused(const new_form& form, std::size_t size, std::size_t alignment) {
    at(form.name, size, alignment);
    errno = 0;
    if (form.nothrow)
        CHECK(form.get(size, alignment) == nullptr);
    else
        CHECK(throws_bad_alloc(form, size, alignment));
    CHECK_EQUAL(errno, ENOMEM);
}

// The first exception of a process makes the unwinder allocate tables that it keeps.
static void warm_the_unwinder_up() {
    try {
        throw 0;
    } catch (int) {
    }
}

TEST(impossible_sizes_are_refused_by_every_form) {
    warm_the_unwinder_up();
    const std::size_t before = mallinfo2().uordblks;
    for (const new_form& form : new_forms)
        for (std::size_t size : impossible_sizes)
            check_refused(form, size, 64);
    CHECK_EQUAL(mallinfo2().uordblks, before);
}

TEST(impossible_sizes_with_every_alignment_are_refused_by_every_aligned_form) {
    for (const new_form& form : new_forms)
        if (form.aligned)
            for (std::size_t alignment = 1; alignment; alignment *= 2)
                for (std::size_t size : {SIZE_MAX, SIZE_MAX - alignment + 1, std::size_t{PTRDIFF_MAX} + 1})
                    if (size > PTRDIFF_MAX)
                        check_refused(form, size, alignment);
}

TEST(what_the_kernel_refuses_is_refused_by_every_form) {
    limit_address_space(64 * MIB);
    for (const new_form& form : new_forms)
        check_refused(form, 4 * GIB, 64);
}

TEST(bad_alloc_is_the_standards_own) {
    int caught = 0;
    try {
        (void)::operator new(SIZE_MAX);
    } catch (const std::exception& error) {
        ++caught;
        CHECK(typeid(error) == typeid(std::bad_alloc));
        CHECK(std::strcmp(error.what(), std::bad_alloc().what()) == 0);
        CHECK(dynamic_cast<const std::bad_alloc*>(&error));
    }
    CHECK_EQUAL(caught, 1);
    CHECK(std::current_exception() == nullptr);
    CHECK_EQUAL(std::uncaught_exceptions(), 0);
}

static int destroyed;

static void throw_through_a_frame_with_objects() {
    struct counter {
        ~counter() { ++destroyed; }
    } first, second;
    const std::vector<int> third(100, 1);
    (void)::operator new[](SIZE_MAX);
}

TEST(bad_alloc_unwinds_the_frames_it_passes) {
    warm_the_unwinder_up();
    const std::size_t before = mallinfo2().uordblks;
    for (int i = 0; i < 100; ++i) {
        try {
            throw_through_a_frame_with_objects();
            CHECK(false);
        } catch (const std::bad_alloc&) {
        }
    }
    CHECK_EQUAL(destroyed, 200);
    CHECK_EQUAL(mallinfo2().uordblks, before);
}

TEST(bad_alloc_can_be_stored_and_thrown_again) {
    std::exception_ptr stored;
    try {
        (void)::operator new(SIZE_MAX);
    } catch (...) {
        stored = std::current_exception();
    }
    REQUIRE(stored != nullptr);
    bool caught = false;
    try {
        std::rethrow_exception(stored);
    } catch (const std::bad_alloc&) {
        caught = true;
    }
    CHECK(caught);
}

TEST(a_constructor_that_throws_gives_the_memory_back) {
    struct throwing {
        [[gnu::noinline]] throwing() { // or the compiler would allocate nothing
            bytes[0] = 1;
            throw 1;
        }
        char bytes[1000];
    };
    warm_the_unwinder_up();
    const std::size_t before = mallinfo2().uordblks;
    int caught = 0;
    try {
        delete new throwing;
    } catch (int) {
        ++caught;
    }
    try {
        delete new (std::nothrow) throwing;
    } catch (int) {
        ++caught;
    }
    CHECK_EQUAL(caught, 2);
    CHECK_EQUAL(mallinfo2().uordblks, before);
}

TEST(containers_see_bad_alloc_and_go_on) {
    limit_address_space(64 * MIB);
    std::vector<char> bytes(1000, 'x');
    bool caught = false;
    try {
        bytes.resize(4 * GIB);
    } catch (const std::bad_alloc&) {
        caught = true;
    }
    CHECK(caught);
    CHECK(bytes == std::vector<char>(1000, 'x'));
    caught = false;
    try {
        std::string text(4 * GIB, 'x');
    } catch (const std::bad_alloc&) {
        caught = true;
    }
    CHECK(caught);
    CHECK(*std::make_unique<int>(5) == 5);
}

static void* catch_in_thread(void* result) {
    for (const new_form& form : new_forms)
        if (!form.nothrow && throws_bad_alloc(form, SIZE_MAX, 64))
            ++*static_cast<int*>(result);
    return nullptr;
}

TEST(bad_alloc_is_caught_in_threads) {
    pthread_t threads[4];
    int caught[4] = {};
    for (std::size_t i = 0; i < 4; ++i)
        REQUIRE(pthread_create(&threads[i], nullptr, catch_in_thread, &caught[i]) == 0);
    for (std::size_t i = 0; i < 4; ++i) {
        REQUIRE(pthread_join(threads[i], nullptr) == 0);
        CHECK_EQUAL(caught[i], 4);
    }
}
