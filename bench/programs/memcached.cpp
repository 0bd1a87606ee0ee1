// memcached: memcaslap sets and gets on 127.0.0.1.
#include "programs/server.h"
#include "programs/sockets.h"
#include "programs/tools.h"
#include "programs/unprivileged.h"

#include <fmt/format.h>

namespace lowtide::bench {

namespace fs = std::filesystem;

namespace {

/// Keys and values of many sizes (first and last, share), and what is done with them (0: set, 1: get).
constexpr const char* mix = R"(key
16 64 1
value
32 256 0.6
257 4096 0.3
4097 40000 0.1
cmd
0 0.3
1 0.7
)";

class memcached final : public benchmark {
public:
    memcached(description about, unsigned operations, const program_settings& settings)
        : benchmark(std::move(about)), operations_(operations), settings_(settings) {}

    std::optional<std::string> unavailable() const override {
        return missing({server_, client_}, "memcached or memcaslap",
                       "packages memcached and libmemcached-tools");
    }

    measurement run(const allocator& allocator) override {
        const witnessed on(allocator, settings_);
        const std::uint16_t port = free_port();
        const fs::path mix_file = on.directory() / "mix";
        write_file(mix_file, mix);
        return measure(
            {.name = "memcached",
             .what = user_.own(on.prepare({server_, "-l", "127.0.0.1", "-p", fmt::format("{}", port), "-U",
                                           "0", "-t", "2", "-m", "256"})),
             .stop = SIGTERM,
             .answers = [port] { return accepts(port); },
             .load = [&] { return load(port, mix_file); }},
            on, settings_.processes);
    }

private:
    /// Operations per second.
    double load(std::uint16_t port, const fs::path& mix_file) const {
        return number_after(
            {"TPS:"}, run_to_end({.words = {client_, "-s", fmt::format("127.0.0.1:{}", port), "-T", "1", "-c",
                                            "32", "-x", fmt::format("{}", operations_), "-F", mix_file}},
                                 settings_.processes)
                          .output);
    }

    unsigned operations_;
    const program_settings& settings_;
    unprivileged user_;
    fs::path server_ = find_program("memcached");
    fs::path client_ = find_program("memcaslap");
};

} // namespace

void add_memcached(benchmark_list& list, const program_settings& settings) {
    list.push_back(std::make_unique<memcached>(
        description{"memcached/mix", "programs",
                    "memcached under memcaslap: 3 sets to 7 gets of 32 B to 40 KB"},
        settings.share(300'000), settings));
}

} // namespace lowtide::bench
