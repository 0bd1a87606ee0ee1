// A storm: threads allocate and free while signals interrupt them, whose handlers do the same, and while the
// scheduler takes them off their processor and moves them to others. Every block carries its owner; in the
// end every block is back.
//
//   storm [--threads=N] [--rounds=N] [--one-cpu] [--unregister] [--without-rseq] [--broken=LIBRARY]
//
// --unregister takes every other thread's registration with the kernel away; --without-rseq says that the
// process has none. --broken proves that all this finds something: the store that tells the kernel of a
// sequence is overwritten in memory, and then a child that does the same must fail.
#include "library_symbols.h"

#include "lowtide/lowtide.h"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern "C" __attribute__((weak)) decltype(lowtide_owns) lowtide_owns;
extern "C" __attribute__((weak)) decltype(lowtide_stats) lowtide_stats;

using rseq_test::fail;

namespace {

constexpr unsigned max_threads = 32;
constexpr long interrupt_every_ns = 30000;
constexpr uint64_t signals_wanted = 2000; // of each thread, in each round

struct settings {
    unsigned threads = 6;
    unsigned rounds = 3;
    bool one_cpu = false;
    bool unregister = false;
    bool without_rseq = false;
    const char* broken = nullptr;
};

// ---- blocks that know their owner

// The first word of a block that somebody holds; of a free one it is anything else, for the allocator writes
// nothing into free blocks of these sizes, and the last holder has cleared it.
constexpr uint64_t held = 0xb10c'0f'5706'0000;
constexpr uint64_t held_mask = ~uint64_t{0xffff};

struct block {
    std::atomic<uint64_t> owner;
    size_t size;
};

extern "C" __attribute__((weak)) void free_sized(void* p, size_t size) noexcept;

// In a handler nothing but this will do.
[[noreturn]] void found(const char* what) {
    const auto ignored = write(STDERR_FILENO, what, strlen(what));
    static_cast<void>(ignored);
    _exit(1);
}

block* take(size_t size, uint64_t owner) {
    auto* b = static_cast<block*>(malloc(size));
    if (b == nullptr)
        found("FAILED: no memory\n");
    const uint64_t before = b->owner.exchange(held | owner, std::memory_order_acq_rel);
    if ((before & held_mask) == held)
        found("FAILED: a block was handed out twice\n");
    b->size = size;
    return b;
}

void give(block* b, uint64_t owner) {
    const size_t size = b->size;
    if (b->owner.exchange(0, std::memory_order_acq_rel) != (held | owner))
        found("FAILED: somebody else wrote into a block\n");
    if (size % 16 == 8)
        free_sized(b, size);
    else
        free(b);
}

// ---- one party: a thread, or the handlers that interrupt it

class party {
public:
    void start(uint64_t owner) {
        owner_ = owner;
        state_ = owner * 0x9e3779b97f4a7c15 + 1;
    }

    void step() {
        block*& slot = blocks_[next() % slots];
        if (slot != nullptr) {
            give(slot, owner_);
            slot = nullptr;
        } else {
            // Two sizes that the fast paths serve, one whose magazines are small, one that is a run of
            // slices.
            constexpr size_t sizes[] = {48, 48, 48, 200, 200, 9000};
            const uint64_t draw = next();
            slot = take(draw % 1024 == 0 ? 300000 : sizes[draw % std::size(sizes)], owner_);
        }
    }

    void drain() {
        for (block*& slot : blocks_) {
            if (slot != nullptr)
                give(slot, owner_);
            slot = nullptr;
        }
    }

    uint64_t next() {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return state_ >> 11;
    }

private:
    static constexpr unsigned slots = 96;
    uint64_t owner_ = 0;
    uint64_t state_ = 1;
    block* blocks_[slots] = {};
};

// ---- threads

struct actor {
    pthread_t thread{};
    std::atomic<pid_t> id{0};
    party itself;
    party handlers;
    std::atomic<uint64_t> signals{0};
    unsigned index = 0;
};

settings chosen;
actor actors[max_threads];
pthread_barrier_t barrier; // of the actors and the main thread
constinit thread_local actor* me = nullptr;

void on_signal(int) {
    for (int i = 0; i < 4; ++i)
        me->handlers.step();
    me->signals.fetch_add(1, std::memory_order_relaxed);
}

void unregister() {
    auto* area = static_cast<char*>(__builtin_thread_pointer()) + __rseq_offset;
    constexpr long registered_bytes = 32;
    if (syscall(SYS_rseq, area, registered_bytes, RSEQ_FLAG_UNREGISTER, RSEQ_SIG) != 0)
        fail("the registration can't be taken back");
}

timer_t start_timer() {
    sigevent event = {};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGUSR1;
    event._sigev_un._tid = me->id;
    timer_t timer{};
    const itimerspec every{{0, interrupt_every_ns}, {0, interrupt_every_ns}};
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 || timer_settime(timer, 0, &every, nullptr) != 0)
        fail("no timer");
    return timer;
}

void one_round() {
    const timer_t timer = start_timer();
    while (me->signals.load(std::memory_order_relaxed) < signals_wanted) {
        for (int i = 0; i < 500; ++i)
            me->itself.step();
        if (me->itself.next() % 4 == 0)
            sched_yield();
    }
    timer_delete(timer);
    // Whatever was on its way is handled before the handlers' blocks are freed.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    me->itself.drain();
    me->handlers.drain();
    me->signals.store(0, std::memory_order_relaxed);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void* act(void* as) {
    me = static_cast<actor*>(as);
    me->id = static_cast<pid_t>(syscall(SYS_gettid));
    if (chosen.unregister && me->index % 2 == 0)
        unregister();
    for (unsigned r = 0; r < chosen.rounds; ++r) {
        pthread_barrier_wait(&barrier); // begin
        one_round();
        pthread_barrier_wait(&barrier); // all blocks are free
        pthread_barrier_wait(&barrier); // and counted
    }
    return nullptr;
}

// ---- the scheduler's part

std::atomic<bool> moving{true};

// Moves the threads from processor to processor, or holds them all on one.
void* move(void*) {
    cpu_set_t usable;
    sched_getaffinity(0, sizeof(usable), &usable);
    int cpus[CPU_SETSIZE];
    int count = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(cpu, &usable))
            cpus[count++] = cpu;
    }
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    for (unsigned turn = 0; moving.load(); ++turn) {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(cpus[chosen.one_cpu ? 0 : turn % static_cast<unsigned>(count)], &one);
        const pid_t id = actors[turn / 2 % chosen.threads].id;
        if (id != 0)
            sched_setaffinity(id, sizeof(one), &one);
        const timespec pause{0, 100000};
        nanosleep(&pause, nullptr);
    }
    return nullptr;
}

size_t live_bytes() {
    lowtide_statistics now = {};
    now.size = sizeof(now);
    if (lowtide_stats == nullptr || lowtide_stats(&now) != 0)
        fail("no statistics: this doesn't run on lowtide");
    return now.live;
}

void run() {
    struct sigaction action = {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigaction(SIGUSR1, &action, nullptr);
    pthread_barrier_init(&barrier, nullptr, chosen.threads + 1);
    for (unsigned i = 0; i < chosen.threads; ++i) {
        actors[i].index = i;
        actors[i].itself.start(2 * i + 1);
        actors[i].handlers.start(2 * i + 2);
        if (pthread_create(&actors[i].thread, nullptr, act, &actors[i]) != 0)
            fail("no thread");
    }
    pthread_t mover;
    if (pthread_create(&mover, nullptr, move, nullptr) != 0)
        fail("no thread");
    for (unsigned r = 0; r < chosen.rounds; ++r) {
        // Exact: every other thread waits, or moves threads without allocating.
        const size_t before = live_bytes();
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
        const size_t after = live_bytes();
        if (after != before)
            fail("%zu bytes are live after everything was freed, %zu before", after, before);
        pthread_barrier_wait(&barrier);
    }
    moving = false;
    pthread_join(mover, nullptr);
    for (unsigned i = 0; i < chosen.threads; ++i)
        pthread_join(actors[i].thread, nullptr);
}

// ---- the proof

// Overwrites the store to the rseq area that ends where each sequence starts: movq %reg, %fs:8(%reg). With
// itself, or with an instruction that does nothing.
void rewrite_sequences(const char* library, bool broken) {
    const rseq_test::symbol_table symbols = rseq_test::read_symbols(library);
    const uint64_t base = rseq_test::load_base(getpid(), library);
    constexpr size_t store_bytes = 5;
    constexpr unsigned char rseq_cs_offset = 8;
    constexpr unsigned char nothing[store_bytes] = {0x0f, 0x1f, 0x44, 0x00, 0x00};
    for (const char* name : {"lowtide_malloc", "lowtide_free", "lowtide_free_sized", "lowtide_rseq_pop",
                             "lowtide_rseq_push", "lowtide_rseq_exchange"}) {
        const uint64_t start = base + rseq_test::address_of(symbols, std::string(name) + "_start");
        auto* store = reinterpret_cast<unsigned char*>(start - store_bytes);
        if (store[0] != 0x64 || store[2] != 0x89 || store[4] != rseq_cs_offset)
            fail("%s: what is in front of the sequence is not the store to the rseq area", name);
        const auto page = reinterpret_cast<uintptr_t>(store) & ~uintptr_t{4095};
        const size_t length = start - page;
        if (mprotect(reinterpret_cast<void*>(page), length, PROT_READ | PROT_WRITE | PROT_EXEC) != 0)
            fail("the library's code can't be written");
        unsigned char instead[store_bytes];
        memcpy(instead, broken ? nothing : store, store_bytes);
        memcpy(store, instead, store_bytes);
    }
}

// The status of a child that runs the storm on rewritten sequences.
int storm_in_child(const char* library, bool broken) {
    fflush(nullptr);
    const pid_t child = fork();
    if (child == 0) {
        rewrite_sequences(library, broken);
        chosen.rounds = broken ? 1000 : 1;
        run();
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return status;
}

void require_broken(const char* library) {
    const int control = storm_in_child(library, false);
    if (control != 0)
        fail("rewritten, but not broken: status %#x", static_cast<unsigned>(control));
    const int status = storm_in_child(library, true);
    // The child has found it, or the allocator itself has, or what was handed out was no memory at all.
    const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (signal == 0 ? WEXITSTATUS(status) != 1 : signal != SIGSEGV && signal != SIGABRT)
        fail("broken sequences were not noticed: status %#x", static_cast<unsigned>(status));
    printf("noticed: %s\n", signal == 0 ? "a wrong block" : strsignal(signal));
}

void parse(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        if (sscanf(argv[i], "--threads=%u", &chosen.threads) +
                sscanf(argv[i], "--rounds=%u", &chosen.rounds) >
            0)
            continue;
        if (argument == "--one-cpu")
            chosen.one_cpu = true;
        else if (argument == "--unregister")
            chosen.unregister = true;
        else if (argument == "--without-rseq")
            chosen.without_rseq = true;
        else if (argument.starts_with("--broken="))
            chosen.broken = argv[i] + strlen("--broken=");
        else
            fail("unknown argument %s", argv[i]);
    }
    if (chosen.threads == 0 || chosen.threads > max_threads)
        fail("1 to %u threads", max_threads);
}

} // namespace

int main(int argc, char** argv) {
    parse(argc, argv);
    if (chosen.without_rseq != (__rseq_size == 0))
        fail("the C library has registered an rseq area of %u bytes", __rseq_size);
    if (chosen.broken != nullptr) {
        rseq_test::require_concurrency_ids();
        require_broken(chosen.broken);
        return 0;
    }
    run();
}
