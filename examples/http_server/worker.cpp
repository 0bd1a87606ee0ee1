#include "worker.h"

#include <cerrno>
#include <ctime>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace server {

namespace {

constexpr std::uint32_t connection_events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

std::int64_t now_seconds() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return now.tv_sec;
}

bool control(int epoll, int operation, int fd, std::uint32_t events, void* data) {
    epoll_event e{};
    e.events = events;
    e.data.ptr = data;
    return epoll_ctl(epoll, operation, fd, &e) == 0;
}

} // namespace

worker::worker(const settings& s, body_blocks& blocks)
    : settings_(s), blocks_(blocks), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    // Known by addresses that no connection has.
    if (epoll_ < 0 || !control(epoll_, EPOLL_CTL_ADD, s.stop, EPOLLIN, &settings_.stop) ||
        !control(epoll_, EPOLL_CTL_ADD, s.listener, EPOLLIN | EPOLLEXCLUSIVE, &settings_.listener))
        throw std::system_error(errno, std::generic_category(), "epoll");
}

worker::~worker() {
    close(epoll_);
}

void worker::run() {
    epoll_event events[64];
    for (bool stopped = false; !stopped;) {
        const int count = epoll_wait(epoll_, events, 64, soonest_ == nullptr ? -1 : 1000);
        for (int i = 0; i < count; ++i) {
            void* data = events[i].data.ptr;
            if (data == &settings_.stop)
                stopped = true;
            else if (data == &settings_.listener)
                accept_one();
            else
                advance(*static_cast<connection*>(data));
        }
        end_overdue();
    }
    while (soonest_ != nullptr)
        end(*soonest_);
}

// One at a time, so that the other threads have their share.
void worker::accept_one() {
    const int socket = accept4(settings_.listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket < 0) {
        if ((errno == EMFILE || errno == ENFILE) && soonest_ != nullptr)
            end(*soonest_);
        return;
    }
    const int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    connection* c = nullptr;
    try {
        c = connection::create(settings_.memory, blocks_, socket);
    } catch (const std::bad_alloc&) {
        close(socket);
        return;
    }
    queue(*c);
    if (!control(epoll_, EPOLL_CTL_ADD, socket, connection_events, c))
        end(*c);
}

void worker::advance(connection& c) {
    auto outcome = connection::outcome::finished;
    try {
        outcome = c.advance();
    } catch (const std::bad_alloc&) { // this connection's end, and not the server's
    }
    answered_ += c.take_answered();
    if (outcome == connection::outcome::finished)
        return end(c);
    if (c.take_progress()) {
        unqueue(c);
        queue(c);
    }
    // What is still ready is reported anew.
    if (outcome == connection::outcome::busy)
        control(epoll_, EPOLL_CTL_MOD, c.socket(), connection_events, &c);
}

void worker::end(connection& c) {
    unqueue(c);
    connection::destroy(&c);
}

void worker::end_overdue() {
    const std::int64_t now = now_seconds();
    while (soonest_ != nullptr && soonest_->deadline < now)
        end(*soonest_);
}

void worker::queue(connection& c) {
    c.deadline = now_seconds() + settings_.timeout_seconds;
    c.sooner = latest_;
    c.later = nullptr;
    (latest_ == nullptr ? soonest_ : latest_->later) = &c;
    latest_ = &c;
}

void worker::unqueue(connection& c) {
    (c.sooner == nullptr ? soonest_ : c.sooner->later) = c.later;
    (c.later == nullptr ? latest_ : c.later->sooner) = c.sooner;
}

} // namespace server
