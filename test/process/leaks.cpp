// What has leaked is found at the end of the process, all of it, and nothing else: planted leaks of each
// kind, and pointers in each place that keeps an object.
#include "harness.h"

#include <atomic>
#include <cstdint>
#include <cstring>
#include <lowtide/block_pool.h>
#include <lowtide/heap.h>
#include <lowtide/region.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

using namespace harness;

namespace {

struct node {
    node* next;
    char text[100];
};

// Nobody may know where it was: not the stack either, on which a pointer could stay.
template <typename Make>
[[gnu::noinline]] void on_another_stack(Make make) {
    pthread_t thread;
    REQUIRE(pthread_create(
                &thread, nullptr,
                [](void* of) -> void* {
                    (*static_cast<Make*>(of))();
                    return nullptr;
                },
                &make) == 0);
    REQUIRE(pthread_join(thread, nullptr) == 0);
}

node* make_node(node* next = nullptr) {
    auto* n = static_cast<node*>(std::malloc(sizeof(node)));
    REQUIRE(n != nullptr);
    n->next = next;
    asm volatile("" : : "r"(n) : "memory");
    return n;
}

// glibc keeps the stack of a thread that has ended for the next one.
void wipe_old_stacks() {
    on_another_stack([] {
        char wiped[200'000];
        std::memset(wiped, 0, sizeof(wiped));
        asm volatile("" : : "r"(wiped) : "memory");
    });
}

outcome run_leaking(const char* part, const char* more = "") {
    return run_part(part, {.environment = {std::string("LOWTIDE_CONF=leaks:true,sample:1") + more}});
}

// "N bytes in M objects", as the library's own line has it.
bool says_leaked(const outcome& of, size_t objects) {
    const std::string wanted = " in " + std::to_string(objects) + " objects";
    const bool right =
        objects == 0 ? of.err.find("has leaked") == of.err.npos : of.err.find(wanted) != of.err.npos;
    if (!right) {
        std::fprintf(stderr, "%s", of.err.c_str());
    }
    return right;
}

} // namespace

// For all to see, or the compiler leaves out what nobody reads.
void* leaks_in_data = &leaks_in_data;
void* leaks_in_bss[3];
thread_local void* leaks_in_tls;

PART(leaks_lists_and_rings) {
    on_another_stack([] {
        for (int i = 0; i < 10; ++i) {
            make_node(make_node(make_node()));
        }
        node* ring = make_node();
        ring->next = make_node(ring);
    });
    wipe_old_stacks();
}

PROMISE(leaks_are_found_all_and_by_how_they_were_lost) {
    const outcome of = run_leaking("leaks_lists_and_rings");
    require_success(of);
    REQUIRE(says_leaked(of, 32));
}

PART(leaks_large_ones) {
    on_another_stack([] {
        for (const size_t size : {size_t{100'000}, size_t{5'000'000}, size_t{100'000'000}}) {
            auto* block = static_cast<char*>(std::malloc(size));
            REQUIRE(block != nullptr);
            *reinterpret_cast<node**>(block + size / 2 / 8 * 8) = make_node();
            asm volatile("" : : "r"(block) : "memory");
        }
    });
    wipe_old_stacks();
}

PROMISE(large_leaks_are_found_and_what_they_lead_to) {
    const outcome of = run_leaking("leaks_large_ones");
    require_success(of);
    REQUIRE(says_leaked(of, 6));
}

PART(keeps_everything) {
    leaks_in_data = make_node(make_node());
    leaks_in_bss[2] = make_node();
    leaks_in_tls = make_node();
    // Into the middle of an object, and to its last byte.
    leaks_in_bss[0] = reinterpret_cast<char*>(make_node()) + 50;
    leaks_in_bss[1] = reinterpret_cast<char*>(make_node()) + sizeof(node) - 1;
    // In memory of the program's own.
    auto* mapping = static_cast<node**>(
        mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mapping[100'000] = make_node();
    // Behind others: in a large block, and in a huge one.
    for (const size_t size : {size_t{3'000'000}, size_t{100'000'000}}) {
        auto** block = static_cast<node**>(std::malloc(size));
        block[size / 8 - 1] = make_node();
        block[0] = nullptr;
        node* keeper = make_node(reinterpret_cast<node*>(block));
        static node* keepers[2];
        keepers[size > 3'000'000] = keeper;
        asm volatile("" : : "r"(keepers) : "memory");
    }
    // In a heap, a region and a pool of the program's own.
    static lowtide_heap* heap = lowtide_heap_create("keeps");
    *static_cast<node**>(lowtide_heap_malloc(heap, 64)) = make_node();
    static lowtide_region* region = lowtide_region_create(nullptr, nullptr);
    *static_cast<node**>(lowtide_region_alloc(region, 64)) = make_node();
    lowtide_block_pool_options options{};
    options.size = sizeof(options);
    options.block_size = 1 << 21;
    static lowtide_block_pool* pool = lowtide_block_pool_create(&options);
    static_cast<node**>(lowtide_block_pool_take(pool, "keeps"))[200'000] = make_node();
    // On the stack of a thread that waits.
    static std::atomic<bool> ready{false};
    pthread_t thread;
    REQUIRE(pthread_create(
                &thread, nullptr,
                [](void*) -> void* {
                    node* volatile mine = make_node();
                    ready = true;
                    for (;;) {
                        pause();
                    }
                    return mine;
                },
                nullptr) == 0);
    while (!ready) {
        usleep(100);
    }
    node* volatile on_stack = make_node();
    std::exit(on_stack == nullptr ? 1 : 0);
}

PROMISE(what_can_be_reached_has_not_leaked) {
    const outcome of = run_leaking("keeps_everything");
    require_success(of);
    REQUIRE(says_leaked(of, 0));
}

PART(leaks_what_was_freed_before) {
    on_another_stack([] {
        std::vector<node*> some;
        for (int i = 0; i < 1000; ++i) {
            some.push_back(make_node());
        }
        for (size_t i = 5; i < some.size(); ++i) { // five stay
            std::free(some[i]);
        }
    });
    wipe_old_stacks();
}

// Free objects still have the addresses of others in them.
PROMISE(what_is_free_keeps_nothing) {
    for (const char* more : {"", ",check:true", ",rseq:false", ",cache:0"}) {
        const outcome of = run_leaking("leaks_what_was_freed_before", more);
        require_success(of);
        REQUIRE(says_leaked(of, 5));
    }
}

PROMISE(a_process_with_leaks_ends_with_the_code_that_is_wanted) {
    REQUIRE(run_leaking("leaks_lists_and_rings", ",leak_exit:23").exited_with(23));
    require_success(run_leaking("keeps_everything", ",leak_exit:23"));
}

PART(leaks_and_prints) {
    on_another_stack([] { make_node(); });
    wipe_old_stacks();
    std::printf("not flushed");
    std::exit(3);
}

PROMISE(what_was_printed_arrives_though_the_code_is_another) {
    const outcome of = run_leaking("leaks_and_prints", ",leak_exit:7");
    REQUIRE(of.exited_with(7));
    REQUIRE(of.out == "not flushed");
    REQUIRE(run_leaking("leaks_and_prints").exited_with(3));
}

PROMISE(without_the_option_nobody_looks_for_leaks) {
    const outcome of = run_part("leaks_lists_and_rings", {.environment = {"LOWTIDE_CONF=sample:1"}});
    require_success(of);
    REQUIRE(says_leaked(of, 0));
}
