// Redis: redis-benchmark against a fresh redis-server on 127.0.0.1, with and without pipelining.
#include "programs/server.h"
#include "programs/witnessed.h"
#include "runner/errors.h"

#include <arpa/inet.h>
#include <charconv>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace lowtide::bench {

namespace fs = std::filesystem;

namespace {

constexpr seconds time_limit{180};

sockaddr_in at_port(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

descriptor tcp_socket() {
    return descriptor(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

/// One that nobody listens on. Somebody may be quicker than the server; then that run fails and says so.
std::uint16_t free_port() {
    const descriptor probe = tcp_socket();
    sockaddr_in address = at_port(0);
    socklen_t length = sizeof address;
    if (bind(probe.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 ||
        getsockname(probe.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0)
        throw run_failed("there is no free port on 127.0.0.1");
    return ntohs(address.sin_port);
}

bool accepts(std::uint16_t port) {
    const descriptor probe = tcp_socket();
    const sockaddr_in address = at_port(port);
    return connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

/// The second field of the CSV line that starts with "TEST".
double requests_per_second(const std::string& csv, const std::string& test) {
    const std::string begin = fmt::format("\"{}\",\"", test);
    const std::size_t at = csv.find(begin);
    double rate = 0;
    if (at != std::string::npos)
        std::from_chars(csv.data() + at + begin.size(), csv.data() + csv.size(), rate);
    if (!(rate > 0))
        throw run_failed(fmt::format("redis-benchmark did not report {}", test));
    return rate;
}

class redis final : public benchmark {
public:
    /// `requests` in batches of `pipeline`; test is SET, GET or LPUSH.
    redis(description about, std::string test, unsigned requests, unsigned pipeline,
          const program_settings& settings)
        : benchmark(std::move(about)), test_(std::move(test)), requests_(requests), pipeline_(pipeline),
          settings_(settings), server_(find_program("redis-server")),
          client_(find_program("redis-benchmark")) {}

    std::optional<std::string> unavailable() const override {
        if (server_.empty() || client_.empty())
            return "redis is not installed (Debian packages redis-server and redis-tools)";
        return std::nullopt;
    }

    measurement run(const allocator& allocator) override {
        const witnessed on(allocator, settings_);
        const std::uint16_t port = free_port();
        server redis_server(
            settings_.processes,
            on.prepare({server_, "--bind", "127.0.0.1", "--port", fmt::format("{}", port), "--dir",
                        on.directory(), "--save", "", "--appendonly", "no", "--daemonize", "no"}),
            SIGTERM);
        redis_server.await([port] { return accepts(port); });
        if (test_ == "GET")
            load(port, "SET", 2 * keys, 16);
        const double rate = load(port, test_, requests_, pipeline_);
        const ended end = redis_server.stop();
        return on.account_for("redis-server", 1e9 / rate, end.usage);
    }

private:
    static constexpr unsigned keys = 100'000;

    double load(std::uint16_t port, const std::string& test, unsigned requests, unsigned pipeline) const {
        const ended client = settings_.processes.run(
            {.words = {client_, "-h", "127.0.0.1", "-p", fmt::format("{}", port), "-t", test, "-n",
                       fmt::format("{}", requests), "-r", fmt::format("{}", keys), "-d", "256", "-P",
                       fmt::format("{}", pipeline), "--csv"}},
            time_limit);
        if (!client.succeeded())
            throw run_failed(fmt::format("redis-benchmark: {}", client.reason()));
        return requests_per_second(client.output, test);
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
}

} // namespace lowtide::bench
