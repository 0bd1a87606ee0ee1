// A server that grows: threads take 2 MiB buffers for requests, write and free them; a cache holds hundreds
// of such blocks and replaces them at random times; a pool takes 64 KiB blocks for ever, between blocks of
// 100 KiB that come and go; small objects live random lives and die on other threads. Then it shrinks to a
// tenth, does nothing for ten seconds, and grows again.
#include "clock.h"
#include "idle.h"
#include "shelf.h"
#include "table.h"
#include "threads.h"
#include "workload.h"

#include <array>
#include <new>

namespace lowtide::bench {
namespace {

constexpr std::size_t buffer_bytes = 2u << 20;
constexpr std::size_t pool_bytes = 64u << 10;
constexpr std::size_t passing_bytes = 100u << 10;
// Of a thread, at the peak.
constexpr std::size_t cached = 210;
constexpr std::size_t pooled = 250;
constexpr std::size_t passing = 250;
constexpr std::size_t small = 50'000;
// One call in so many is for something large.
constexpr std::size_t calls_a_request = 1500;
constexpr std::size_t calls_a_large_block = 300;

class worker {
public:
    worker(std::uint64_t seed, shelf& handed_over) : random_(seed), handed_over_(handed_over) {}

    /// Up to the peak while the first half of the calls are made; the other half replaces.
    void load(std::uint64_t calls) {
        for (std::uint64_t i = 0; i < calls; ++i) {
            const auto share = static_cast<double>(i) * 2 / static_cast<double>(calls);
            grown_ = share < 1 ? share : 1;
            if (i % calls_a_request == 0)
                request();
            if (i % calls_a_large_block == 0)
                large_blocks();
            replace(small_, grown(small), sizes_.draw(random_));
        }
    }

    /// What a tenth of the load needs, but for the pool.
    void shrink() {
        thin_out(cache_);
        for (held& each : passing_)
            drop(each);
        thin_out(small_);
    }
    void end() {
        for (table<held>* const each : all_tables())
            for (held& one : *each)
                drop(one);
    }

    std::uint64_t live() const { return live_; }
    void add_to(touched_pages& pages) {
        for (table<held>* const each : all_tables())
            for (const held& one : *each)
                if (one.object != nullptr)
                    pages.add(one.object, one.size);
    }
    const outcome& result() const { return result_; }

private:
    struct held {
        void* object;
        std::size_t size;
    };

    std::array<table<held>*, 4> all_tables() { return {&cache_, &pool_, &passing_, &small_}; }

    std::size_t grown(std::size_t most) const {
        return 1 + static_cast<std::size_t>(static_cast<double>(most - 1) * grown_);
    }

    void request() {
        void* const buffer = make(buffer_bytes, ++result_.operations);
        result_.checksum += bench::drop(buffer);
        replace(cache_, grown(cached), buffer_bytes);
    }
    void large_blocks() {
        if (pool_used_ < grown(pooled) && pool_used_ < pooled)
            put(pool_[pool_used_++], pool_bytes);
        replace(passing_, grown(passing), passing_bytes);
    }

    /// Some of the small ones go to whichever thread comes next: their size is not known there.
    void replace(table<held>& all, std::size_t count, std::size_t size) {
        held& any = all[random_.below(count)];
        if (size < pool_bytes && any.object != nullptr && random_.below(4) == 0) {
            live_ -= any.size;
            result_.checksum += drop_if_any(handed_over_.swap(any.object, random_));
            any.object = nullptr;
        }
        drop(any);
        put(any, size);
    }
    void put(held& place, std::size_t size) {
        place = {make(size, ++result_.operations), size};
        live_ += size;
    }
    void drop(held& one) {
        if (one.object == nullptr)
            return;
        live_ -= one.size;
        result_.checksum += bench::drop(one.object);
        one.object = nullptr;
    }
    void thin_out(table<held>& all) {
        for (held& each : all)
            if (random_.below(10) != 0)
                drop(each);
    }

    random_numbers random_;
    const size_range sizes_{16, 1024};
    shelf& handed_over_;
    table<held> cache_{cached};
    table<held> pool_{pooled};
    table<held> passing_{passing};
    table<held> small_{small};
    std::size_t pool_used_ = 0;
    double grown_ = 0;
    std::uint64_t live_ = 0;
    outcome result_;
};

/// A thread does what it is told, and waits in between: a server's threads don't end when it has nothing to
/// do.
struct alignas(2 * cache_line) post {
    worker* does;
    void (*task)(worker&, std::uint64_t);
    std::uint64_t calls;
    sem_t begin;
    sem_t done;
    pthread_t id;
};

void* serve(void* argument) {
    post& self = *static_cast<post*>(argument);
    for (;;) {
        wait_for(self.begin);
        if (self.task == nullptr)
            return nullptr;
        self.task(*self.does, self.calls);
        sem_post(&self.done);
    }
}

class server {
public:
    explicit server(const parameters& with) : posts_(with.threads), workers_(with.threads) {
        for (unsigned i = 0; i < with.threads; ++i) {
            post& each = posts_[i];
            each.does = new (&workers_[i]) worker(i + 1, handed_over_);
            each.calls = with.operations / with.threads;
            sem_init(&each.begin, 0, 0);
            sem_init(&each.done, 0, 0);
            each.id = start_thread(serve, &each);
        }
    }

    /// The time that all of them took.
    double all_do(void (*task)(worker&, std::uint64_t)) {
        const double begin = now_ns();
        for (post& each : posts_) {
            each.task = task;
            sem_post(&each.begin);
        }
        for (post& each : posts_)
            if (task != nullptr)
                wait_for(each.done);
            else
                pthread_join(each.id, nullptr);
        return now_ns() - begin;
    }

    std::uint64_t live() {
        std::uint64_t bytes = 0;
        for (worker& each : workers_)
            bytes += each.live();
        return bytes;
    }
    std::uint64_t least() {
        touched_pages pages;
        for (worker& each : workers_)
            each.add_to(pages);
        return pages.bytes();
    }
    std::uint64_t operations() {
        std::uint64_t all = 0;
        for (worker& each : workers_)
            all += each.result().operations;
        return all;
    }
    std::uint64_t clear() {
        std::uint64_t all = handed_over_.clear();
        for (worker& each : workers_) {
            each.end();
            all += each.result().checksum;
        }
        return all;
    }

private:
    shelf handed_over_;
    table<post> posts_;
    table<worker> workers_;
};

void load(worker& on, std::uint64_t calls) {
    on.load(calls);
}
void shrink(worker& on, std::uint64_t) {
    on.shrink();
}

outcome blow_up(const parameters& with) {
    server all(with);
    all.all_do(load);
    outcome result{.operations = all.operations()};
    const double before = now_ns();
    note_peak(result, all.live());
    all.all_do(shrink);
    stay_idle(result, with.idle_seconds, all.live(), all.least());
    const double again = all.all_do(load);
    result.reload_ns = again / static_cast<double>(all.operations() - result.operations);
    all.all_do(nullptr);
    result.checksum = all.clear();
    // All that isn't the first load; stay_idle() has counted its part.
    result.aside_ns += now_ns() - before - result.aside_ns;
    return result;
}

constexpr workload list[] = {
    {"blowup",
     "blowup",
     "a server grows to 2 GiB of large blocks and small objects, shrinks to a tenth, idles, grows again",
     blow_up,
     {.operations = 12'000'000, .threads = 4, .idle_seconds = 10},
     role::idles},
};

} // namespace

constinit const workload_table blowup_workloads = list;

} // namespace lowtide::bench
