// See server.h.
#include "programs/server.h"

#include "runner/errors.h"

#include <fmt/format.h>

namespace lowtide::bench {

namespace {

constexpr seconds time_to_start{30};
constexpr seconds time_to_stop{30};
constexpr seconds between_tries{0.02};

} // namespace

server::~server() {
    if (running_.running())
        running_.end(stop_, time_to_stop);
}

void server::await(const std::function<bool()>& answers) {
    const auto begin = std::chrono::steady_clock::now();
    while (!answers()) {
        if (processes_.pause(running_, between_tries))
            throw run_failed(
                fmt::format("the server ended: {}", processes_.wait(running_, time_to_stop).reason()));
        if (std::chrono::steady_clock::now() - begin > time_to_start)
            throw run_failed("the server does not answer");
    }
}

ended server::stop() {
    running_.signal(stop_);
    ended result = processes_.wait(running_, time_to_stop);
    if (!result.succeeded())
        throw run_failed(fmt::format("the server ended badly: {}", result.reason()));
    return result;
}

measurement measure(const service& subject, const witnessed& on, const supervisor& processes) {
    server running(processes, subject.what, subject.stop);
    running.await(subject.answers);
    const double rate = subject.load();
    const ended end = running.stop();
    return on.account_for(subject.name, 1e9 / rate, end.usage);
}

} // namespace lowtide::bench
