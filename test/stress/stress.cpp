// The model-based property test of the whole library: random operations of one thread, of many that hand
// blocks to each other, of processes that fork in the middle, and of signal handlers that interrupt the
// allocator. One thread does exactly the same at every run with the same seed.
//
//   stress [--seed=N|random] [--steps=N] [--threads=N] [--forks=N] [--signals]
#include "face.h"
#include "report.h"
#include "worker.h"

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <pthread.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using namespace stress;

namespace {

struct settings {
    uint64_t seed = 1;
    uint64_t steps = 100000; // of each thread
    unsigned threads = 1;
    unsigned forks = 0;
    bool signals = false;
};

settings parse(int argc, char** argv) {
    settings s;
    for (int i = 1; i < argc; ++i) {
        const auto value_of = [&](const char* name) {
            const size_t length = strlen(name);
            return strncmp(argv[i], name, length) == 0 ? argv[i] + length : nullptr;
        };
        if (const char* seed = value_of("--seed=")) {
            s.seed = strtoull(seed, nullptr, 10);
            if (strcmp(seed, "random") == 0 && getrandom(&s.seed, sizeof(s.seed), 0) < 0)
                fail("no random seed");
        } else if (const char* steps = value_of("--steps="))
            s.steps = strtoull(steps, nullptr, 10);
        else if (const char* threads = value_of("--threads="))
            s.threads = static_cast<unsigned>(strtoul(threads, nullptr, 10));
        else if (const char* forks = value_of("--forks="))
            s.forks = static_cast<unsigned>(strtoul(forks, nullptr, 10));
        else if (strcmp(argv[i], "--signals") == 0)
            s.signals = true;
        else
            fail("unknown argument %s", argv[i]);
    }
    return s;
}

// ---- signal handlers that allocate

// A worker for the handlers of each thread. It has no registry, whose locks the interrupted code may hold.
constinit thread_local worker* in_handler = nullptr;
std::atomic<uint64_t> handled{0};

void on_signal(int) {
    const activity interrupted = doing;
    const int saved = errno;
    in_handler->step();
    handled.fetch_add(1, std::memory_order_relaxed);
    errno = saved;
    doing = interrupted;
}

// Sends the calling thread a signal many thousand times a second.
class interruptions {
public:
    explicit interruptions(worker& in) {
        in_handler = &in;
        struct sigaction action = {};
        action.sa_handler = on_signal;
        action.sa_flags = SA_RESTART;
        sigaction(SIGUSR1, &action, nullptr);
        sigevent event = {};
        event.sigev_notify = SIGEV_THREAD_ID;
        event.sigev_signo = SIGUSR1;
        event._sigev_un._tid = static_cast<pid_t>(syscall(SYS_gettid));
        const itimerspec every{{0, 50000}, {0, 50000}};
        if (timer_create(CLOCK_MONOTONIC, &event, &timer_) != 0 ||
            timer_settime(timer_, 0, &every, nullptr) != 0)
            fail("no timer");
    }
    interruptions(const interruptions&) = delete;
    interruptions& operator=(const interruptions&) = delete;
    ~interruptions() {
        sigset_t blocked;
        sigemptyset(&blocked);
        sigaddset(&blocked, SIGUSR1);
        pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
        timer_delete(timer_);
    }

private:
    timer_t timer_{};
};

// ---- threads and forks

class session {
public:
    explicit session(const settings& s) : settings_(s), others_(256) {
        for (unsigned i = 0; i < s.threads; ++i) {
            tables_.push_back(make_table(table_entries));
            handler_tables_.push_back(make_table(64));
        }
    }

    void run() {
        std::vector<thread_start> starts;
        std::vector<pthread_t> threads(settings_.threads);
        starts.reserve(settings_.threads);
        for (unsigned i = 1; i < settings_.threads; ++i) {
            starts.push_back({this, i});
            if (pthread_create(&threads[i], nullptr, enter, &starts.back()) != 0)
                fail("no thread");
        }
        work(0);
        for (unsigned i = 1; i < settings_.threads; ++i)
            pthread_join(threads[i], nullptr);
        worker last(settings_.seed, others_.table(), {}, &live_, nullptr);
        last.drain();
    }

    [[nodiscard]] uint64_t digest() const { return digest_; }

private:
    static constexpr size_t table_entries = 768;

    struct thread_start {
        session* self;
        unsigned thread;
    };

    static void* enter(void* start) {
        static_cast<thread_start*>(start)->self->work(static_cast<thread_start*>(start)->thread);
        return nullptr;
    }

    void work(unsigned thread) {
        doing = {settings_.seed, thread, 0, "start"};
        limits most;
        if (settings_.threads > 1 || settings_.forks != 0) { // or there would be little but page faults
            most.largest = size_t{4} << 20;
            most.bytes = (size_t{64} << 20) / settings_.threads;
        }
        const uint64_t seed = mixed(settings_.seed) + thread;
        worker own(seed, tables_[thread], most, &live_, settings_.threads > 1 ? &others_ : nullptr);
        worker handlers(~seed, handler_tables_[thread], {size_t{300} << 10, size_t{1} << 20, false, false},
                        nullptr, nullptr);
        {
            std::optional<interruptions> storm;
            if (settings_.signals)
                storm.emplace(handlers);
            const uint64_t between_forks = settings_.forks == 0 ? 0 : settings_.steps / settings_.forks;
            for (uint64_t i = 0; i < settings_.steps; ++i) {
                own.step();
                if (thread == 0 && between_forks != 0 && i % between_forks == 0)
                    fork_and_check(i / between_forks % 2 == 1);
            }
        }
        own.check_all();
        own.drain();
        handlers.drain();
        if (thread == 0)
            digest_ = own.digest();
    }

    // `raw`: by the system call, without the C library's knowledge and its handlers.
    void fork_and_check(bool raw) {
        const activity here = doing;
        doing.operation = raw ? "raw fork" : "fork";
        const auto child = static_cast<pid_t>(raw ? syscall(SYS_fork) : fork());
        if (child < 0)
            fail("no child");
        if (child == 0) {
            live_in_child();
            _exit(0);
        }
        int status = 0;
        while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
        }
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            fail("the child ended with status %#x", status);
        doing = here;
    }

    // Every block of every thread is there; all of them can be used and freed.
    void live_in_child() {
        doing.operation = "child";
        registry own_registry; // the parent's may be locked by threads that are not here
        worker heir(settings_.seed ^ doing.step, make_table((table_entries + 64) * settings_.threads + 256),
                    {size_t{1} << 20, size_t{256} << 20, false, true}, &own_registry, nullptr);
        const auto inherit = [&](std::span<entry> table) {
            for (const entry& e : table) {
                if (e.stable.load(std::memory_order_acquire))
                    heir.adopt(e.b);
            }
        };
        for (const auto& table : tables_)
            inherit(table);
        for (const auto& table : handler_tables_)
            inherit(table);
        inherit(others_.table());
        for (int i = 0; i < 1000; ++i)
            heir.step();
        heir.drain();
    }

    settings settings_;
    registry live_;
    exchange others_;
    std::vector<std::span<entry>> tables_;
    std::vector<std::span<entry>> handler_tables_;
    uint64_t digest_ = 0;
};

} // namespace

int main(int argc, char** argv) {
    const settings s = parse(argc, argv);
    remember_command(argc, argv, s.seed);
    say("stress: seed %lu, %lu steps, %u threads, %u forks%s\n", s.seed, s.steps, s.threads, s.forks,
        s.signals ? ", signals" : "");
    session all(s);
    const size_t before = face::live_bytes();
    all.run();
    doing = {s.seed, 0, s.steps, "end"};
    // With more threads, what the C library keeps for threads that have ended is live too.
    if (s.threads == 1 && face::live_bytes() != before)
        fail("%zu bytes are live after everything was freed, %zu before", face::live_bytes(), before);
    if (s.signals && handled.load() == 0)
        fail("no signal came");
    say("passed: digest %016lx, %lu signals\n", all.digest(), handled.load());
}
