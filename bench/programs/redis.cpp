// Redis: redis-benchmark against a fresh redis-server on 127.0.0.1, with and without pipelining.
#include "programs/server.h"
#include "programs/sockets.h"
#include "programs/tools.h"

#include <fmt/format.h>

namespace lowtide::bench {

namespace fs = std::filesystem;

namespace {

class redis final : public benchmark {
public:
    /// `requests` in batches of `pipeline`; test is SET, GET, LPUSH or LRANGE_100.
    redis(description about, std::string test, unsigned requests, unsigned pipeline,
          const program_settings& settings)
        : benchmark(std::move(about)), test_(std::move(test)), requests_(requests), pipeline_(pipeline),
          settings_(settings), server_(find_program("redis-server")),
          client_(find_program("redis-benchmark")) {}

    std::optional<std::string> unavailable() const override {
        return missing({server_, client_}, "redis", "packages redis-server and redis-tools");
    }

    measurement run(const allocator& allocator) override {
        const witnessed on(allocator, settings_);
        const std::uint16_t port = free_port();
        return measure(
            {.name = "redis-server",
             .what = on.prepare({server_, "--bind", "127.0.0.1", "--port", fmt::format("{}", port), "--dir",
                                 on.directory(), "--save", "", "--appendonly", "no", "--daemonize", "no"}),
             .stop = SIGTERM,
             .answers = [port] { return accepts(port); },
             .load =
                 [this, port] {
                     if (test_ == "GET")
                         load(port, "SET", 2 * keys, 16);
                     return load(port, test_, requests_, pipeline_);
                 }},
            on, settings_.processes);
    }

private:
    static constexpr unsigned keys = 100'000;

    /// Requests a second: the second field of the CSV line of the test, whose first may say more than its
    /// name.
    double load(std::uint16_t port, const std::string& test, unsigned requests, unsigned pipeline) const {
        const std::string csv =
            run_to_end({.words = {client_, "-h", "127.0.0.1", "-p", fmt::format("{}", port), "-t", test, "-n",
                                  fmt::format("{}", requests), "-r", fmt::format("{}", keys), "-d", "256",
                                  "-P", fmt::format("{}", pipeline), "--csv"}},
                       settings_.processes)
                .output;
        return number_after({'"' + test, "\",\""}, csv);
    }

    std::string test_;
    unsigned requests_;
    unsigned pipeline_;
    const program_settings& settings_;
    fs::path server_;
    fs::path client_;
};

} // namespace

void add_redis(benchmark_list& list, const program_settings& settings) {
    const auto add = [&](const std::string& name, const std::string& test, unsigned requests,
                         unsigned pipeline) {
        list.push_back(std::make_unique<redis>(
            description{"redis/" + name, "programs",
                        fmt::format("redis-server under redis-benchmark: {} of 256 B, {}", test,
                                    pipeline == 1 ? "one at a time" : fmt::format("{} at a time", pipeline))},
            test, settings.share(requests), pipeline, settings));
    };
    add("set", "SET", 100'000, 1);
    add("get", "GET", 100'000, 1);
    add("lpush", "LPUSH", 100'000, 1);
    add("set-P16", "SET", 600'000, 16);
    add("get-P16", "GET", 600'000, 16);
    add("lpush-P16", "LPUSH", 600'000, 16);
    add("lrange", "LRANGE_100", 50'000, 1);
    add("lrange-P16", "LRANGE_100", 100'000, 16);
}

} // namespace lowtide::bench
