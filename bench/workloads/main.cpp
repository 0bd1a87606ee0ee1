// lowtide-workloads: runs one workload in this process and says what it cost, for `lowtide bench` to read.
//
//   lowtide-workloads --list               name, group, role and what it does, by tabs; the roles are "any"
//                                          if the number of threads can be chosen, "baseline" if it asks for
//                                          no memory, "idles" if it does nothing for a while, else "usual"
//   lowtide-workloads --identify           only which object files malloc and free come from
//   lowtide-workloads [--scale F] [--threads N] NAME
//                                          below a scale of 0.01 nothing idles
//
// Prints one "key value" a line: malloc, free, operations, ns_per_operation, peak_rss_kib, minor_faults,
// checksum; of those that idle, live_kib, least_kib, idle_0_kib, idle_500_kib and so on, by ms, mappings,
// mappings_before, perhaps peak_live_kib, peak_kib and reload_ns. It needs libc alone, so that nothing but
// the workload calls malloc.
#include "clock.h"
#include "idle.h"
#include "objects.h"
#include "witness/object_of.h"
#include "witness/peak_rss.h"
#include "workload.h"

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <sys/resource.h>
#include <unistd.h>

namespace lowtide::bench {

void give_up(const char* why) {
    char message[120];
    const int length = std::snprintf(message, sizeof message, "lowtide-workloads: %s\n", why);
    (void)!write(STDERR_FILENO, message, static_cast<std::size_t>(length));
    _exit(1);
}

void out_of_memory(std::size_t size) {
    char why[60];
    std::snprintf(why, sizeof why, "no memory for %zu bytes", size);
    give_up(why);
}

namespace {

constexpr workload_table const* tables[] = {
    &pair_workloads,   &sized_workloads,      &bulk_workloads,   &mass_workloads,  &replacement_workloads,
    &server_workloads, &ring_workloads,       &burst_workloads,  &large_workloads, &realloc_workloads,
    &calloc_workloads, &sharing_workloads,    &churn_workloads,  &mixed_workloads, &stress_workloads,
    &ebb_workloads,    &ebb_thread_workloads, &blowup_workloads,
};

constexpr unsigned max_threads = 1024;
constexpr double least_idling_scale = 0.01; // below it, nobody wants to wait

const char* word_for(role is) {
    switch (is) {
    case role::any_threads:
        return "any";
    case role::baseline:
        return "baseline";
    case role::idles:
        return "idles";
    case role::usual:
        break;
    }
    return "usual";
}

void print_list() {
    for (const workload_table* const table : tables)
        for (const workload& each : *table)
            std::printf("%s\t%s\t%s\t%s\n", each.name, each.group, word_for(each.is), each.about);
}

void print_identity() {
    std::printf("malloc %s\nfree %s\n", object_of("malloc"), object_of("free"));
}

const workload* find(const char* name) {
    for (const workload_table* const table : tables)
        for (const workload& each : *table)
            if (std::strcmp(each.name, name) == 0)
                return &each;
    return nullptr;
}

void measure(const workload& chosen, const parameters& with) {
    const double mappings_before = chosen.is == role::idles ? mappings() : 0;
    const double begin = now_ns();
    const outcome result = chosen.run(with);
    const double took = now_ns() - begin - result.aside_ns;
    // Before anything is printed: stdio's buffer is the allocator's as well.
    const long peak = peak_rss_kib();
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    print_identity();
    std::printf("operations %" PRIu64 "\nns_per_operation %.4f\npeak_rss_kib %ld\nminor_faults %ld\n"
                "checksum %016" PRIx64 "\n",
                result.operations, took / static_cast<double>(result.operations), peak, usage.ru_minflt,
                result.checksum);
    const auto print = [](const char* key, double value) {
        if (value > 0)
            std::printf("%s %.4f\n", key, value);
    };
    print("live_kib", result.live_kib);
    print("least_kib", result.least_kib);
    print("peak_live_kib", result.peak_live_kib);
    print("peak_kib", result.peak_kib);
    print("mappings_before", mappings_before);
    print("mappings", result.mappings);
    print("reload_ns", result.reload_ns);
    for (std::size_t i = 0; i < idle_samples; ++i) {
        char key[40];
        std::snprintf(key, sizeof key, "idle_%.0f_kib", idle_times_ms[i]);
        print(key, result.idle_kib[i]);
    }
}

/// What the command line asks for.
struct request {
    double scale = 1;
    unsigned threads = 0; // 0: as the workload has it
    const char* name = nullptr;
};

int wrong(const char* what, const char* value) {
    std::fprintf(stderr, "lowtide-workloads: %s%s\n", what, value);
    return 2;
}

int run(const request& asked) {
    const workload* const chosen = find(asked.name);
    if (chosen == nullptr)
        return wrong("no such workload: ", asked.name);
    if (asked.threads != 0 && chosen->is != role::any_threads)
        return wrong("the number of threads cannot be chosen for ", asked.name);
    parameters with = chosen->with;
    if (asked.threads != 0)
        with.threads = asked.threads;
    with.operations = 1 + static_cast<std::uint64_t>(static_cast<double>(with.operations) * asked.scale);
    if (asked.scale < least_idling_scale)
        with.idle_seconds = 0;
    measure(*chosen, with);
    return 0;
}

int read_and_run(int count, char** words) {
    request asked;
    for (int i = 1; i < count; ++i) {
        const char* const word = words[i];
        const bool has_value = i + 1 < count;
        if (std::strcmp(word, "--list") == 0) {
            print_list();
            return 0;
        }
        if (std::strcmp(word, "--identify") == 0) {
            print_identity();
            return 0;
        }
        if (std::strcmp(word, "--scale") == 0 && has_value) {
            asked.scale = std::strtod(words[++i], nullptr);
            if (!(asked.scale > 0 && asked.scale <= 1000))
                return wrong("not a scale from 0 to 1000: ", words[i]);
        } else if (std::strcmp(word, "--threads") == 0 && has_value) {
            const long threads = std::strtol(words[++i], nullptr, 10);
            if (threads < 1 || threads > max_threads)
                return wrong("not a number of threads from 1 to 1024: ", words[i]);
            asked.threads = static_cast<unsigned>(threads);
        } else if (word[0] != '-' && asked.name == nullptr) {
            asked.name = word;
        } else {
            return wrong("not understood: ", word);
        }
    }
    if (asked.name == nullptr)
        return wrong("usage: lowtide-workloads [--list] [--identify] [--scale F] [--threads N] NAME", "");
    return run(asked);
}

} // namespace
} // namespace lowtide::bench

int main(int count, char** words) {
    const int code = lowtide::bench::read_and_run(count, words);
    if (std::fflush(stdout) != 0)
        return 1;
    return code;
}
