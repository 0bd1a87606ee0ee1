// Pointers into a block and pointers that were never ours, freed, deleted, reallocated or asked for their
// size. Each is reported on the spot, wherever it happens, and ends the program.
#include "wrong_free.h"

#include <cstdint>
#include <dlfcn.h>
#include <malloc.h>
#include <new>
#include <string>
#include <sys/mman.h>

using namespace harness;
using namespace workload;
using namespace wrong_free;

// --- inside a block ---------------------------------------------------------------------------------------

template <size_t Size, size_t Offset>
void free_inside() {
    auto* block = static_cast<char*>(std::malloc(Size));
    std::free(launder(announce(block + Offset)));
    survived();
}
PART(interior_1_of_64) {
    free_inside<64, 1>();
}
PART(interior_8_of_64) {
    free_inside<64, 8>();
}
PART(interior_16_of_64) {
    free_inside<64, 16>();
}
PART(interior_48_of_500) {
    free_inside<500, 48>();
}
PROMISE(a_pointer_into_a_small_block_is_reported) {
    require_caught("interior_1_of_64", "size class 64");
    require_caught("interior_8_of_64", "size class 64");
    require_caught("interior_16_of_64", "size class 64");
    require_caught("interior_48_of_500", "interior");
}

PART(interior_of_100k) {
    free_inside<100'000, 4096>();
}
PART(interior_of_1m) {
    free_inside<kMiB, 4096>();
}
PART(interior_of_1m_by_64k) {
    free_inside<kMiB, 65536>();
}
PART(interior_of_5m) {
    free_inside<5 * kMiB, 16>();
}
PART(interior_of_5m_by_2m) {
    free_inside<5 * kMiB, 2 * kMiB>();
}
PART(interior_of_100m) {
    free_inside<100 * kMiB, 64>();
}
PART(interior_of_100m_by_64m) {
    free_inside<100 * kMiB, 64 * kMiB>();
}
PROMISE(a_pointer_into_a_large_block_is_reported) {
    require_caught("interior_of_100k", "interior");
    require_caught("interior_of_1m", "interior");
    require_caught("interior_of_1m_by_64k", "interior");
    require_caught_at_once("interior_of_5m", "interior");
    require_caught_at_once("interior_of_5m_by_2m", "interior");
    require_caught_at_once("interior_of_100m", "interior");
    require_caught_at_once("interior_of_100m_by_64m", "interior");
}

PART(interior_of_aligned) {
    auto* block = static_cast<char*>(std::aligned_alloc(4096, 8192));
    std::free(launder(announce(block + 4096)));
    survived();
}
PROMISE(a_pointer_into_an_aligned_block_is_reported) {
    require_caught("interior_of_aligned", "interior");
}

// --- never ours -------------------------------------------------------------------------------------------

// From another allocator: the C library's own, which ours stands in front of.
void* memory_of_the_c_library() {
    void* library = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
    REQUIRE(library != nullptr);
    auto function = reinterpret_cast<void* (*)(size_t)>(dlsym(library, "malloc"));
    REQUIRE(function != nullptr);
    return function(100);
}

// The pointers of the kinds below, one to be misused in each run: the environment says which.
const void* foreign_pointer() {
    static char in_data[64];
    alignas(16) static thread_local char in_tls[64];
    char on_stack[64];
    switch (std::atoi(std::getenv("LOWTIDE_TEST_KIND"))) {
    case 0:
        return launder(&on_stack[0]);
    case 1:
        return in_data;
    case 2:
        return in_tls;
    case 3:
        return reinterpret_cast<const void*>(&foreign_pointer);
    case 4:
        return "a text of the program's";
    case 5:
        return mmap(nullptr, kMiB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    case 6:
        return memory_of_the_c_library();
    case 7:
        return reinterpret_cast<const void*>(uintptr_t{0xdeadbeefdeadbeef}); // not canonical
    case 8:
        return reinterpret_cast<const void*>(uintptr_t{1});
    case 9:
        return reinterpret_cast<const void*>(~uintptr_t{0});
    case 10:
        return reinterpret_cast<const void*>(uintptr_t{16});
    case 11:
        return reinterpret_cast<const void*>(uintptr_t{0x7ffffffff000}); // the end of what users have
    case 12:
        return reinterpret_cast<const void*>(uintptr_t{0x800000000000}); // the first that is not canonical
    case 13:
        return reinterpret_cast<const void*>(uintptr_t{0xffff888000000000}); // the kernel's
    case 14:
        return reinterpret_cast<const void*>(uintptr_t{0x4141414141414141}); // a text taken for a pointer
    default:
        return nullptr;
    }
}
constexpr int kForeignKinds = 15;

PART(foreign_free) {
    std::free(launder(announce(foreign_pointer())));
    survived();
}
PART(foreign_delete) {
    operator delete[](launder(announce(foreign_pointer())));
    survived();
}
PART(foreign_realloc) {
    static_cast<void>(!std::realloc(launder(announce(foreign_pointer())), 100));
    survived();
}
PART(foreign_usable_size) {
    static_cast<void>(!malloc_usable_size(launder(announce(foreign_pointer()))));
    survived();
}

namespace {
void require_all_foreign_pointers_caught(const char* part) {
    for (int i = 0; i < kForeignKinds; ++i) {
        setenv("LOWTIDE_TEST_KIND", std::to_string(i).c_str(), 1);
        require_caught_at_once(part, "not a pointer from this allocator");
    }
}
} // namespace

PROMISE(freeing_what_is_not_ours_is_reported) {
    require_all_foreign_pointers_caught("foreign_free");
}
PROMISE(deleting_what_is_not_ours_is_reported) {
    require_all_foreign_pointers_caught("foreign_delete");
}
PROMISE(reallocating_what_is_not_ours_is_reported) {
    require_all_foreign_pointers_caught("foreign_realloc");
}
PROMISE(asking_the_size_of_what_is_not_ours_is_reported) {
    require_all_foreign_pointers_caught("foreign_usable_size");
}

// --- realloc and malloc_usable_size of what is wrong otherwise
// ----------------------------------------------

PART(realloc_of_freed) {
    void* block = announce(block_among_others(64));
    std::free(block);
    malloc_trim(0); // the magazine is emptied: the slab knows that the block is free
    static_cast<void>(!std::realloc(launder(block), 5000));
    survived();
}
PROMISE(reallocating_a_freed_block_is_reported) {
    require_caught("realloc_of_freed", "free");
}

PART(realloc_of_freed_large) {
    void* block = announce(std::malloc(5 * kMiB));
    std::free(block);
    static_cast<void>(!std::realloc(launder(block), 6 * kMiB));
    survived();
}
PROMISE(reallocating_a_freed_large_block_is_reported) {
    require_caught_at_once("realloc_of_freed_large", "realloc");
}

PART(realloc_of_interior) {
    auto* block = static_cast<char*>(std::malloc(64));
    static_cast<void>(!std::realloc(launder(announce(block + 16)), 5000));
    survived();
}
PART(realloc_of_interior_large) {
    auto* block = static_cast<char*>(std::malloc(5 * kMiB));
    static_cast<void>(!std::realloc(launder(announce(block + kMiB)), 5000));
    survived();
}
PROMISE(reallocating_a_pointer_into_a_block_is_reported) {
    require_caught_at_once("realloc_of_interior", "interior");
    require_caught_at_once("realloc_of_interior_large", "interior");
}

PART(usable_size_of_interior) {
    auto* block = static_cast<char*>(std::malloc(64));
    static_cast<void>(!malloc_usable_size(launder(announce(block + 16))));
    survived();
}
PART(usable_size_of_interior_large) {
    auto* block = static_cast<char*>(std::malloc(5 * kMiB));
    static_cast<void>(!malloc_usable_size(launder(announce(block + kMiB))));
    survived();
}
PROMISE(asking_the_size_of_a_pointer_into_a_block_is_reported) {
    require_caught_at_once("usable_size_of_interior", "interior");
    require_caught_at_once("usable_size_of_interior_large", "interior");
}

// --- what only check:true sees, and sees at once -----------------------------------------------------------

PART(usable_size_of_freed) {
    void* block = announce(block_among_others(64));
    std::free(block);
    static_cast<void>(!malloc_usable_size(launder(block)));
    survived();
}
PART(realloc_of_freed_to_its_size) {
    void* block = announce(block_among_others(64));
    std::free(block);
    static_cast<void>(!std::realloc(launder(block), 64));
    survived();
}
PROMISE(check_sees_a_freed_small_block_wherever_it_is_used) {
    require_report("usable_size_of_freed", "LOWTIDE_CONF=check:true", "free", when::at_once);
    require_report("realloc_of_freed_to_its_size", "LOWTIDE_CONF=check:true", "free", when::at_once);
}

// The C library at hand may be older than these.
template <class Function>
Function* function_of(const char* name) {
    auto function = reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
    REQUIRE(function != nullptr);
    return function;
}

PART(free_sized_with_too_much) {
    const auto free_sized = function_of<void(void*, size_t)>("free_sized");
    free_sized(launder(announce(std::malloc(100))), 1000);
    survived();
}
PART(free_aligned_sized_with_another_alignment) {
    auto* block = static_cast<char*>(std::aligned_alloc(4096, 8192));
    void* other = std::malloc(64);
    while (reinterpret_cast<uintptr_t>(other) % 4096 == 0)
        other = std::malloc(64);
    const auto free_aligned_sized = function_of<void(void*, size_t, size_t)>("free_aligned_sized");
    free_aligned_sized(launder(block), 4096, 8192);
    free_aligned_sized(launder(announce(other)), 4096, 64);
    survived();
}
PROMISE(check_compares_the_size_and_alignment_that_are_given) {
    require_report("free_sized_with_too_much", "LOWTIDE_CONF=check:true", "free_sized", when::at_once);
    require_report("free_aligned_sized_with_another_alignment", "LOWTIDE_CONF=check:true",
                   "free_aligned_sized", when::at_once);
}

// --- wherever it happens ----------------------------------------------------------------------------------

PART(wrong_free_in_handler) {
    signal(SIGUSR1, [](int) {
        static char not_ours[64];
        std::free(launder(announce(not_ours)));
    });
    raise(SIGUSR1);
    survived();
}
PART(wrong_free_on_smallest_stack) {
    join_thread(start_thread(
        [](void*) -> void* {
            char not_ours[64] = {};
            std::free(launder(announce(not_ours)));
            return nullptr;
        },
        nullptr, static_cast<size_t>(sysconf(_SC_THREAD_STACK_MIN))));
    survived();
}
PROMISE(a_wrong_free_is_reported_from_a_handler_and_from_the_smallest_stack) {
    require_caught_at_once("wrong_free_in_handler", "not a pointer from this allocator");
    require_caught_at_once("wrong_free_on_smallest_stack", "not a pointer from this allocator");
}

// A program that catches SIGABRT, or blocks it, is ended all the same; a handler sees the signal.
PART(wrong_free_with_abort_blocked) {
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGABRT);
    sigprocmask(SIG_BLOCK, &blocked, nullptr);
    signal(SIGABRT, SIG_IGN);
    static char not_ours[64];
    std::free(launder(announce(not_ours)));
    survived();
}
PART(wrong_free_with_handler) {
    signal(SIGABRT, [](int) {
        std::free(std::malloc(100));
        say("handler\n");
    });
    static char not_ours[64];
    std::free(launder(announce(not_ours)));
    survived();
}
PROMISE(a_wrong_free_ends_a_program_that_ignores_sigabrt) {
    require_caught_at_once("wrong_free_with_abort_blocked", "not a pointer from this allocator");
}
PROMISE(a_wrong_free_runs_the_programs_own_handler_of_sigabrt) {
    outcome of = run_part("wrong_free_with_handler");
    REQUIRE(of.killed_by(SIGABRT));
    REQUIRE(of.out.ends_with("\nhandler\n"));
}
