// The new_handler: every form calls it when memory is out, again and again until there is memory, it throws,
// or there is none any more.
#include "check.h"
#include "forms.h"
#include "limit.h"
#include "sizes.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

static const std::size_t too_large = 4 * GIB; // under the limit that each test sets
static const std::size_t room = 64 * MIB;

static int calls;

enum class outcome { block, null, bad_alloc, other };

static outcome request(const new_form& form, std::size_t size) {
    at(form.name, size, 64);
    try {
        void* const block = form.get(size, 64);
        std::free(block);
        return block ? outcome::block : outcome::null;
    } catch (const std::bad_alloc&) {
        return outcome::bad_alloc;
    } catch (...) {
        return outcome::other;
    }
}

// How a form says no.
static outcome refusal(const new_form& form) {
    return form.nothrow ? outcome::null : outcome::bad_alloc;
}

static int number(outcome value) {
    return static_cast<int>(value);
}

TEST(without_a_handler_a_refusal_is_final) {
    limit_address_space(room);
    CHECK(std::get_new_handler() == nullptr);
    for (const new_form& form : new_forms)
        CHECK_EQUAL(number(request(form, too_large)), number(refusal(form)));
}

TEST(the_handler_is_called_until_there_is_memory) {
    for (const new_form& form : new_forms) {
        limit_address_space(room);
        calls = 0;
        std::set_new_handler([] {
            if (++calls == 5)
                lift_the_limit();
        });
        CHECK_EQUAL(number(request(form, too_large)), number(outcome::block));
        CHECK_EQUAL(calls, 5);
        std::set_new_handler(nullptr);
    }
}

static void* hostage;

// What programs use it for: a cache is dropped, and its memory makes room.
TEST(memory_that_the_handler_frees_is_used) {
    for (const new_form& form : new_forms) {
        hostage = std::malloc(1 * GIB);
        REQUIRE(hostage);
        limit_address_space(room);
        calls = 0;
        std::set_new_handler([] {
            ++calls;
            std::free(hostage);
            hostage = nullptr;
            std::set_new_handler(nullptr);
        });
        CHECK_EQUAL(number(request(form, 1 * GIB - 1 * MIB)), number(outcome::block));
        CHECK_EQUAL(calls, 1);
        lift_the_limit();
    }
}

TEST(a_handler_that_throws_bad_alloc_ends_the_request) {
    limit_address_space(room);
    for (const new_form& form : new_forms) {
        calls = 0;
        std::set_new_handler([] {
            if (++calls == 3)
                throw std::bad_alloc();
        });
        CHECK_EQUAL(number(request(form, too_large)), number(refusal(form)));
        CHECK_EQUAL(calls, 3);
    }
}

struct out_of_room : std::bad_alloc {
    int code = 42;
};

TEST(what_the_handler_throws_arrives_as_it_was_thrown) {
    limit_address_space(room);
    std::set_new_handler([] { throw out_of_room(); });
    for (const new_form& form : new_forms) {
        if (form.nothrow)
            continue;
        int code = 0;
        at(form.name, too_large, 64);
        try {
            form.get(too_large, 64);
        } catch (const out_of_room& error) {
            code = error.code;
        }
        CHECK_EQUAL(code, 42);
    }
}

TEST(a_handler_that_takes_itself_away_ends_the_request) {
    limit_address_space(room);
    for (const new_form& form : new_forms) {
        calls = 0;
        std::set_new_handler([] {
            ++calls;
            std::set_new_handler(nullptr);
        });
        CHECK_EQUAL(number(request(form, too_large)), number(refusal(form)));
        CHECK_EQUAL(calls, 1);
    }
}

TEST(the_handler_is_called_for_impossible_sizes_too) {
    for (const new_form& form : new_forms) {
        calls = 0;
        std::set_new_handler([] {
            if (++calls == 2)
                std::set_new_handler(nullptr);
        });
        CHECK_EQUAL(number(request(form, SIZE_MAX)), number(refusal(form)));
        CHECK_EQUAL(calls, 2);
    }
}

TEST(a_handler_may_allocate) {
    limit_address_space(room);
    for (const new_form& form : new_forms) {
        calls = 0;
        std::set_new_handler([] {
            ++calls;
            delete[] new char[100000];
            std::set_new_handler(nullptr);
        });
        CHECK_EQUAL(number(request(form, too_large)), number(refusal(form)));
        CHECK_EQUAL(calls, 1);
    }
}

// A list of blocks that the handler gives back, as a small size runs out where a large one does: all of
// memory.
struct chained {
    chained* next;
};
static chained* held;

static void release_all() {
    ++calls;
    while (held)
        std::free(std::exchange(held, held->next));
    std::set_new_handler(nullptr);
}

TEST(the_handler_is_called_for_small_sizes) {
    limit_address_space(room);
    for (const new_form& form : new_forms) {
        calls = 0;
        std::set_new_handler(release_all);
        const std::size_t size = 100 * KIB, most = 64 * GIB / size;
        for (std::size_t i = 0; i < most && calls == 0; ++i) {
            chained* const block = static_cast<chained*>(form.get(size, 64));
            at(form.name, size, i);
            REQUIRE(block);
            block->next = held;
            held = block;
        }
        CHECK_EQUAL(calls, 1);
        calls = 0;
        release_all();
    }
}
