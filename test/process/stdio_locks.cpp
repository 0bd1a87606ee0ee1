// Fork and the locks of stdio. fork() runs the atfork handlers and then takes stdio's list lock. A thread in
// fflush(NULL) holds the list lock and waits for a stream; the stream's owner is inside malloc, on behalf of
// getline or open_memstream. An allocator whose prepare handler holds a lock that this malloc waits for has
// closed the circle: nobody goes on, for ever.
#include "harness.h"
#include "workload.h"

#include <cstdio>
#include <cstring>

using namespace harness;
using namespace workload;

namespace {

constexpr int kForks = 200;

// A stream that several threads share, and its text, long enough that getline grows its buffer repeatedly.
struct shared_stream {
    std::FILE* stream;
    std::atomic<bool> stop{false};
};

void* allocate_holding_the_streams_lock(void* argument) {
    auto* shared = static_cast<shared_stream*>(argument);
    churn own(3);
    while (!shared->stop) {
        flockfile(shared->stream);
        own.run(50);
        funlockfile(shared->stream);
    }
    return nullptr;
}

void* read_lines(void* argument) {
    auto* shared = static_cast<shared_stream*>(argument);
    while (!shared->stop) {
        std::rewind(shared->stream);
        char* line = nullptr;
        size_t capacity = 0;
        REQUIRE(getline(&line, &capacity, shared->stream) > 5000);
        std::free(line);
    }
    return nullptr;
}

void* write_to_memory_streams(void* argument) {
    auto* shared = static_cast<shared_stream*>(argument);
    while (!shared->stop) {
        char* text = nullptr;
        size_t size = 0;
        std::FILE* stream = open_memstream(&text, &size);
        REQUIRE(stream != nullptr);
        for (int i = 0; i < 200; ++i) {
            REQUIRE(std::fprintf(stream, "%d %*d\n", i, 100, i) > 100);
        }
        REQUIRE(std::fclose(stream) == 0);
        REQUIRE(size > 200 * 100 && text[0] == '0');
        std::free(text);
    }
    return nullptr;
}

void* flush_everything(void* argument) {
    auto* shared = static_cast<shared_stream*>(argument);
    while (!shared->stop) {
        std::fflush(nullptr);
    }
    return nullptr;
}

} // namespace

PROMISE(fork_waits_for_no_thread_that_holds_a_lock_of_stdio) {
    shared_stream shared{std::tmpfile()};
    REQUIRE(shared.stream != nullptr);
    for (int i = 0; i < 1000; ++i) {
        std::fputs("a long line ", shared.stream);
    }
    std::fputs("\n", shared.stream);

    void* (*const bodies[])(void*) = {allocate_holding_the_streams_lock, read_lines, write_to_memory_streams,
                                      flush_everything};
    pthread_t threads[std::size(bodies)];
    for (size_t i = 0; i < std::size(bodies); ++i) {
        threads[i] = start_thread(bodies[i], &shared);
    }
    for (int i = 0; i < kForks; ++i) {
        pid_t child = fork_guarded();
        if (child == 0) {
            churn own(1);
            own.run(50);
            _exit(0);
        }
        require_success(child);
    }
    shared.stop = true;
    for (pthread_t thread : threads) {
        join_thread(thread);
    }
    std::fclose(shared.stream);
}
