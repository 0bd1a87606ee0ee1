// Threads that have called the allocator and now wait: a server's.
#pragma once

#include "table.h"
#include "threads.h"

namespace lowtide::bench {

/// The stacks of many threads, in one mapping: what is resident of it isn't the allocator's. libc keeps each
/// thread's own data (its control block, thread-local variables) at the top of its stack.
class thread_stacks {
public:
    static constexpr std::size_t bytes = 64u << 10; // of one

    explicit thread_stacks(unsigned count) : size_(count * bytes) {
        // MAP_STACK: small pages, whatever the kernel's policy is.
        void* const memory = mmap(nullptr, size_, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
        if (memory == MAP_FAILED)
            out_of_memory(size_);
        begin_ = static_cast<char*>(memory);
    }
    ~thread_stacks() { munmap(begin_, size_); }
    thread_stacks(const thread_stacks&) = delete;
    thread_stacks& operator=(const thread_stacks&) = delete;

    void* of(unsigned thread) const { return begin_ + thread * bytes; }
    std::span<char> all() const { return {begin_, size_}; }

private:
    std::size_t size_;
    char* begin_;
};

class idle_threads {
public:
    /// Each makes `calls` objects, of which it keeps none, before it waits; all at once.
    idle_threads(unsigned count, std::size_t calls) : idle_threads(count, calls, count, nullptr) {}
    /// At most `at_work` at a time; on these stacks, if any.
    idle_threads(unsigned count, std::size_t calls, unsigned at_work, const thread_stacks* stacks)
        : calls_(calls), threads_(count) {
        sem_init(&arrived_, 0, 0);
        sem_init(&end_, 0, 0);
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        for (unsigned i = 0; i < count; ++i) {
            if (i >= at_work)
                wait_for(arrived_);
            if (stacks != nullptr)
                pthread_attr_setstack(&attributes, stacks->of(i), thread_stacks::bytes);
            threads_[i] = start_thread(wait, this, &attributes);
        }
        pthread_attr_destroy(&attributes);
        for (unsigned i = 0; i < std::min(count, at_work); ++i)
            wait_for(arrived_);
    }
    ~idle_threads() {
        for (unsigned i = 0; i < threads_.size(); ++i)
            sem_post(&end_);
        for (const pthread_t each : threads_)
            pthread_join(each, nullptr);
    }
    idle_threads(const idle_threads&) = delete;
    idle_threads& operator=(const idle_threads&) = delete;

private:
    static void* wait(void* argument) {
        auto& self = *static_cast<idle_threads*>(argument);
        random_numbers random(self.calls_);
        const size_range sizes(16, 4096);
        void* objects[64] = {};
        for (std::size_t i = 0; i < self.calls_; ++i) {
            void*& any = objects[random.below(64)];
            drop_if_any(any);
            any = make(sizes.draw(random), i);
        }
        for (void* each : objects)
            drop_if_any(each);
        sem_post(&self.arrived_);
        wait_for(self.end_);
        return nullptr;
    }

    std::size_t calls_;
    table<pthread_t> threads_;
    sem_t arrived_;
    sem_t end_;
};

} // namespace lowtide::bench
