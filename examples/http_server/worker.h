// A thread of the server: an epoll loop over its own connections and the listening socket, which all threads
// share.
#pragma once

#include "connection.h"

#include <cstdint>

namespace server {

class worker {
public:
    struct settings {
        memory_kind memory = memory_kind::regions;
        int listener = -1;
        int stop = -1; // an eventfd: readable when all is to end
        int timeout_seconds = 30;
    };

    /// Throws std::system_error.
    worker(const settings& s, body_blocks& blocks);
    worker(const worker&) = delete;
    ~worker();
    /// Until `stop` is readable; then all connections are closed.
    void run();
    [[nodiscard]] std::uint64_t answered() const { return answered_; }

private:
    void accept_one();
    void advance(connection& c);
    void end(connection& c);
    void end_overdue();
    void queue(connection& c);
    void unqueue(connection& c);

    settings settings_;
    body_blocks& blocks_;
    int epoll_ = -1;
    std::uint64_t answered_ = 0;
    connection* soonest_ = nullptr; // all have the same time, so the queue is in the order of the deadlines
    connection* latest_ = nullptr;
};

} // namespace server
