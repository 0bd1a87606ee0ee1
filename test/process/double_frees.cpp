// Blocks that are freed twice: in a row, with others between, after they left the magazines, by two threads,
// in a child, by delete, of every tier. Each is reported and ends the program.
#include "wrong_free.h"

#include <malloc.h>
#include <new>

using namespace harness;
using namespace workload;
using namespace wrong_free;

PART(double_free_adjacent) {
    void* block = announce(block_among_others(64));
    std::free(block);
    std::free(launder(block));
    survived();
}
PROMISE(a_block_freed_twice_in_a_row_is_reported) {
    require_caught("double_free_adjacent", "size class 64");
}

PART(double_free_between_others) {
    void* others[3] = {std::malloc(64), std::malloc(64), std::malloc(64)};
    void* block = announce(block_among_others(64));
    std::free(others[0]);
    std::free(block);
    std::free(others[1]);
    std::free(others[2]);
    std::free(launder(block));
    survived();
}
PROMISE(a_block_freed_twice_with_others_between_is_reported) {
    require_caught("double_free_between_others", "double free");
}

PART(double_free_after_flush) {
    void* block = announce(block_among_others(64));
    std::free(block);
    malloc_trim(0);
    std::free(launder(block));
    survived();
}
PROMISE(a_block_freed_again_after_its_magazine_was_emptied_is_reported) {
    require_caught("double_free_after_flush", "double free");
}

PART(double_free_of_the_smallest) {
    void* block = announce(block_among_others(1));
    std::free(block);
    std::free(launder(block));
    survived();
}
PROMISE(a_smallest_block_freed_twice_is_reported) {
    require_caught("double_free_of_the_smallest", "size class 16");
}

PART(double_free_by_two_threads) {
    static void* block = announce(block_among_others(200));
    auto free_it = [](void*) -> void* {
        std::free(launder(block));
        return nullptr;
    };
    join_thread(start_thread(free_it, nullptr));
    join_thread(start_thread(free_it, nullptr));
    survived();
}
// Only with the check: the magazines of a processor that runs nothing are emptied when it pleases the
// library.
PROMISE(a_block_freed_by_two_threads_is_reported) {
    require_report("double_free_by_two_threads", "LOWTIDE_CONF=check:true", "double free", when::at_once);
}

PART(double_free_in_a_child) {
    void* block = announce(block_among_others(100));
    std::free(block);
    pid_t child = fork_guarded();
    if (child == 0) {
        std::free(launder(block));
        survived();
        _exit(0);
    }
    const int status = wait_for(child);
    if (WIFSIGNALED(status)) {
        signal(WTERMSIG(status), SIG_DFL);
        raise(WTERMSIG(status));
    }
}
PROMISE(a_block_freed_before_fork_and_in_the_child_is_reported) {
    require_caught("double_free_in_a_child", "double free");
}

PART(double_delete) {
    auto* object = static_cast<uint64_t*>(announce(new uint64_t[8]));
    uint64_t* again = launder(object);
    delete[] object;
    delete[] again;
    survived();
}
PROMISE(an_object_deleted_twice_is_reported) {
    require_caught("double_delete", "double free");
}

// A size of each tier above the slabs.
template <size_t Size>
void free_twice() {
    void* held = std::malloc(Size); // a neighbour, so that not all of the region goes away
    void* block = announce(std::malloc(Size));
    std::free(block);
    std::free(launder(block));
    survived();
    std::free(held);
}
PART(double_free_of_1m) {
    free_twice<kMiB>();
}
PART(double_free_of_5m) {
    free_twice<5 * kMiB>();
}
PART(double_free_of_100m) {
    free_twice<100 * kMiB>();
}
PROMISE(a_large_block_freed_twice_is_reported) {
    require_caught("double_free_of_1m", "free of ");
    require_caught_at_once("double_free_of_5m", "free of ");
    require_caught_at_once("double_free_of_100m", "free of ");
}

PART(double_free_after_trim) {
    constexpr size_t kBlocks = 1000;
    static void* blocks[kBlocks];
    for (void*& block : blocks) {
        block = std::malloc(20'000);
    }
    for (void* block : blocks) {
        std::free(block);
    }
    malloc_trim(0);
    std::free(launder(announce(blocks[kBlocks / 2])));
    survived();
}
PROMISE(a_block_freed_again_after_its_slab_was_given_back_is_reported) {
    require_caught("double_free_after_trim", "free of ");
}

// realloc must not change what a magazine will hand out again.
template <size_t To>
void realloc_of_freed() {
    void* block = announce(std::malloc(kMiB));
    std::free(block);
    void* again = std::realloc(launder(block), To);
    survived();
    std::free(again);
}
PART(realloc_of_freed_smaller) {
    realloc_of_freed<200'000>();
}
PART(realloc_of_freed_larger) {
    realloc_of_freed<kMiB + 300'000>();
}
PROMISE(realloc_of_a_freed_run_is_reported) {
    require_caught_at_once("realloc_of_freed_smaller", "realloc of ");
    require_caught_at_once("realloc_of_freed_larger", "realloc of ");
}
