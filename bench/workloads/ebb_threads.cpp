// Ebbs of programs with threads: they wait, hand objects to each other, or come and go; then nothing is done
// for a while.
#include "idle.h"
#include "idle_threads.h"
#include "shelf.h"
#include "table.h"
#include "threads.h"
#include "workload.h"

namespace lowtide::bench {
namespace {

outcome many_threads(const parameters& with) {
    outcome result{.operations = with.operations * with.threads};
    const idle_threads others(with.threads, with.operations);
    stay_idle(result, with.idle_seconds, 0, 0);
    return result;
}

/// As many threads as it takes for with.objects each, a few at work at a time, on stacks that don't count.
/// What libc has allocated for each of them does: its table of thread-local storage, about 280 B
/// (glibc 2.36).
outcome blocked(const parameters& with) {
    constexpr unsigned at_work = 16;
    const auto count = static_cast<unsigned>(std::max(with.operations / with.objects, std::uint64_t{1}));
    outcome result{.operations = count * with.objects};
    const thread_stacks stacks(count);
    const idle_threads others(count, with.objects, at_work, &stacks);
    stay_idle(result, with.idle_seconds, 0, 0, stacks.all());
    return result;
}

/// A queue between two threads. The consumer takes one object for `slowness` that are made until no more
/// come, then the rest: how far the queue grows doesn't depend on time. Neither is more than a burst ahead of
/// the other.
class slow_queue {
public:
    static constexpr std::size_t burst = 1000;
    static constexpr std::size_t slowness = 4;

    explicit slow_queue(std::size_t most) : queued_(most) {
        sem_init(&made_, 0, 0);
        sem_init(&taken_, 0, 0);
        consumer_ = start_thread(consume, this);
    }
    ~slow_queue() {
        stop_ = true;
        sem_post(&made_);
        pthread_join(consumer_, nullptr);
    }
    slow_queue(const slow_queue&) = delete;
    slow_queue& operator=(const slow_queue&) = delete;

    void push(void* object, std::size_t size) { queued_[written_++] = {object, size}; }

    /// Lets the consumer take its share of what has come; when it has taken that of the burst before.
    void tell() {
        if (told_)
            wait_for(taken_);
        told_ = true;
        share_ = written_ / slowness;
        sem_post(&made_);
    }
    /// Bytes in the queue, when the consumer has taken its share.
    std::uint64_t wait_for_consumer() {
        wait_for(taken_);
        told_ = false;
        std::uint64_t bytes = 0;
        for (std::size_t i = read_; i < written_; ++i)
            bytes += queued_[i].size;
        return bytes;
    }
    void drain() {
        share_ = written_;
        sem_post(&made_);
        wait_for(taken_);
        read_ = written_ = 0;
    }
    std::uint64_t checksum() const { return checksum_; }

private:
    struct entry {
        void* object;
        std::size_t size;
    };

    static void* consume(void* argument) {
        auto& self = *static_cast<slow_queue*>(argument);
        for (;;) {
            wait_for(self.made_);
            if (self.stop_)
                return nullptr;
            for (; self.read_ < self.share_; ++self.read_)
                self.checksum_ += drop(self.queued_[self.read_].object);
            sem_post(&self.taken_);
        }
    }

    table<entry> queued_;
    pthread_t consumer_;
    sem_t made_;
    sem_t taken_;
    std::size_t written_ = 0;
    bool told_ = false; // and not waited for since
    // The consumer's from made_ to taken_, the producer's from there to made_.
    std::size_t read_ = 0;
    std::size_t share_ = 0;
    std::uint64_t checksum_ = 0;
    bool stop_ = false;
};

/// Four floods, each drained before the next comes.
outcome slow_consumer(const parameters& with) {
    constexpr int floods = 4;
    const std::size_t each = with.operations / floods + 1;
    const size_range sizes(with.size, with.max_size);
    random_numbers random(1);
    outcome result;
    slow_queue queue(each);
    for (int flood = 0; flood < floods; ++flood) {
        for (std::size_t i = 0; i < each; ++i) {
            const std::size_t size = sizes.draw(random);
            queue.push(make(size, ++result.operations), size);
            if ((i + 1) % slow_queue::burst == 0)
                queue.tell();
        }
        queue.tell();
        const std::uint64_t live = queue.wait_for_consumer();
        if (flood + 1 == floods)
            note_peak(result, live);
        queue.drain();
    }
    stay_idle(result, with.idle_seconds, 0, 0);
    result.checksum = queue.checksum();
    return result;
}

/// A thread that allocates for a while, leaves a few objects to all that come after it, and dies.
struct passer_by {
    static constexpr std::size_t at_hand = 64;
    static constexpr std::size_t left = 10; // one in so many

    pthread_t id;
    size_range sizes;
    std::size_t objects;
    std::uint64_t seed;
    shelf* survivors;
    std::uint64_t checksum;

    static void* pass(void* argument) {
        passer_by& self = *static_cast<passer_by*>(argument);
        random_numbers random(self.seed);
        void* own[at_hand] = {};
        for (std::size_t i = 0; i < self.objects; ++i) {
            void*& any = own[random.below(at_hand)];
            if (any != nullptr && random.below(left) == 0)
                any = self.survivors->swap(any, random);
            self.checksum += drop_if_any(any);
            any = make(self.sizes.draw(random), self.seed + i);
        }
        for (void* const each : own)
            self.checksum += drop_if_any(each);
        return nullptr;
    }
};

/// with.threads at a time, with.objects each; what survives them is freed by one of the hundreds that follow.
outcome passing_threads(const parameters& with) {
    outcome result;
    shelf survivors(16'384);
    table<passer_by> all(with.threads);
    const std::uint64_t count = with.operations / with.objects + with.threads;
    for (std::uint64_t i = 0; i < count; ++i) {
        passer_by& place = all[i % with.threads];
        if (i >= with.threads)
            pthread_join(place.id, nullptr);
        place.sizes = {with.size, with.max_size};
        place.objects = with.objects;
        place.seed = i * 4 * with.objects + 1; // so far apart that no two draw the same numbers
        place.survivors = &survivors;
        place.id = start_thread(passer_by::pass, &place);
    }
    result.operations = count * with.objects;
    for (passer_by& each : all) {
        pthread_join(each.id, nullptr);
        result.checksum += each.checksum;
    }
    result.checksum += survivors.clear();
    stay_idle(result, with.idle_seconds, 0, 0);
    return result;
}

constexpr workload list[] = {
    {"ebb/threads",
     "ebb",
     "400 threads make 1,000 objects to 4 KiB each, free them and wait",
     many_threads,
     {.operations = 1000, .threads = 400, .idle_seconds = 2},
     role::idles},
    {"ebb/blocked",
     "ebb",
     "10,000 threads, a few at a time, make 1,000 objects to 4 KiB each, free them and block; RSS without "
     "stacks",
     blocked,
     {.objects = 1000, .operations = 10'000'000, .idle_seconds = 2},
     role::idles},
    {"ebb/consumer",
     "ebb",
     "a queue of objects to 16 KiB grows to 200 MiB, for its consumer is slow, and is drained; four times",
     slow_consumer,
     {.size = 64, .max_size = 16'384, .operations = 360'000, .idle_seconds = 2},
     role::idles},
    {"ebb/churn",
     "ebb",
     "50,000 threads, eight at a time, make 1,000 objects to 4 KiB each, leave some to later ones, and die",
     passing_threads,
     {.size = 16,
      .max_size = 4096,
      .objects = 1000,
      .operations = 50'000'000,
      .threads = 8,
      .idle_seconds = 2},
     role::idles},
};

} // namespace

constinit const workload_table ebb_thread_workloads = list;

} // namespace lowtide::bench
