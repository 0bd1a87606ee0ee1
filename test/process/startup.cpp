// The first call of malloc comes from wherever it likes: from an IFUNC resolver, preinit functions, DT_INIT
// and constructors of libraries that are initialised before the allocator and after it. What was allocated
// then is memory like any other later.
#include "early_use.h"
#include "harness.h"
#include "libraries/first.h"
#include "libraries/ordinary.h"

#include <dlfcn.h>

using namespace harness;

namespace {

early_note in_resolver;
early_note in_preinit;
early_note in_own_constructor;

bool is_ours(const void* block) {
    auto owns = reinterpret_cast<int (*)(const void*)>(dlsym(RTLD_DEFAULT, "lowtide_owns"));
    return any_allocator_allowed() || (owns != nullptr && owns(block) != 0);
}

void require_good(early_note& note) {
    REQUIRE(note.fine);
    REQUIRE(is_ours(note.kept));
    REQUIRE(early_kept_is_intact(&note));
}

int answer() {
    return 42;
}

void preinit(int, char**, char**) {
    early_use(&in_preinit);
}
[[gnu::used, gnu::section(".preinit_array")]] void (*const preinit_entry)(int, char**, char**) = preinit;

[[gnu::constructor(101)]] void construct() {
    early_use(&in_own_constructor);
}

} // namespace

// Called by ld.so while it relocates the program, before anything of any library has run.
extern "C" {
int (*resolve_answer(void))(void) {
    early_use(&in_resolver);
    return answer;
}
int chosen_answer(void) __attribute__((ifunc("resolve_answer")));
}

PROMISE(first_call_may_come_from_an_ifunc_resolver) {
    REQUIRE(chosen_answer() == 42);
    require_good(in_resolver);
}

PROMISE(first_call_may_come_from_preinit) {
    require_good(in_preinit);
}

PROMISE(a_library_initialised_before_ours_may_allocate_in_its_init_and_constructor) {
    require_good(first_in_dt_init);
    require_good(first_in_constructor);
}

PROMISE(a_library_initialised_after_ours_may_allocate_in_its_init_and_constructor) {
    require_good(ordinary_in_dt_init);
    require_good(ordinary_in_constructor);
    require_good(in_own_constructor);
}
