#include "connection.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

namespace server {

namespace {

constexpr unsigned most_steps = 64; // before others have their turn
constexpr std::size_t most_pieces_at_once = 128;

} // namespace

connection* connection::create(memory_kind kind, body_blocks& blocks, int socket) {
    scope memory = scope::open(kind, {}, "connection", 16384);
    connection* c = nullptr;
    try {
        c = memory.make<connection>();
        c->input_ = static_cast<char*>(memory.allocate(most_head_bytes));
    } catch (...) {
        memory.release(c);
        memory.close();
        throw;
    }
    c->memory_ = memory;
    c->kind_ = kind;
    c->blocks_ = &blocks;
    c->socket_ = socket;
    return c;
}

void connection::destroy(connection* c) {
    close(c->socket_);
    scope memory = c->memory_;
    if (!memory.frees_all()) {
        if (c->request_ != nullptr)
            request::destroy(c->request_);
        memory.release(c->input_);
        memory.release(c);
    }
    memory.close();
}

connection::outcome connection::advance() {
    for (unsigned i = 0; i < most_steps; ++i) {
        step s = step::end;
        switch (phase_) {
        case phase::head:
            s = read_head();
            break;
        case phase::body:
            s = read_body();
            break;
        case phase::answer:
            s = send_answer();
            break;
        case phase::lingering:
            s = linger();
            break;
        }
        if (s != step::done)
            return s == step::wait ? outcome::waiting : outcome::finished;
    }
    return outcome::busy;
}

void connection::enter(phase next) {
    phase_ = next;
    progressed_ = true;
}

void connection::answer_with(int error) {
    if (error == 0)
        respond(*request_);
    else
        respond_with_error(*request_, error);
    enter(phase::answer);
}

// What a system call that moves bytes has answered.
connection::step connection::received(long bytes) {
    if (bytes > 0)
        return step::done;
    if (bytes == 0)
        return step::end;
    if (errno == EINTR)
        return step::done;
    return errno == EAGAIN || errno == EWOULDBLOCK ? step::wait : step::end;
}

connection::step connection::read_head() {
    const std::string_view input(input_ + begin_, end_ - begin_);
    const std::size_t length = find_head(input);
    if (length == head_incomplete && input.size() < most_head_bytes) {
        std::memmove(input_, input.data(), input.size());
        begin_ = 0;
        end_ = input.size();
        const ssize_t bytes = recv(socket_, input_ + end_, most_head_bytes - end_, 0);
        end_ += static_cast<std::size_t>(std::max<ssize_t>(bytes, 0));
        return received(bytes);
    }
    request_ = request::create(kind_, memory_, *blocks_);
    if (length == head_incomplete || length == head_bad) {
        answer_with(length == head_bad ? 400 : 431);
        return step::done;
    }
    begin_ += length;
    const int error = parse_head(*request_, input.substr(0, length));
    if (error != 0 || request_->has_whole_body()) {
        answer_with(error);
        return step::done;
    }
    // It is so short that there is room for it; if there is none, the other side will send its body anyway.
    constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    if (request_->expects_continue && begin_ == end_)
        (void)!send(socket_, go_on.data(), go_on.size(), MSG_NOSIGNAL);
    enter(phase::body);
    return step::done;
}

connection::step connection::read_body() {
    std::size_t room = 0;
    char* to = request_->body_room(&room);
    if (begin_ < end_) { // what came along with the head
        const std::size_t bytes = std::min(room, end_ - begin_);
        std::memcpy(to, input_ + begin_, bytes);
        begin_ += bytes;
        request_->add_body(bytes);
    } else {
        const ssize_t bytes = recv(socket_, to, room, 0);
        if (bytes <= 0)
            return received(bytes);
        request_->add_body(static_cast<std::size_t>(bytes));
        progressed_ = true;
    }
    if (request_->has_whole_body())
        answer_with(0);
    return step::done;
}

connection::step connection::send_answer() {
    iovec parts[most_pieces_at_once];
    msghdr message{};
    message.msg_iov = parts;
    std::size_t skip = sent_;
    for (piece* p = request_->answer; p != nullptr && message.msg_iovlen < most_pieces_at_once; p = p->next) {
        parts[message.msg_iovlen++] = {const_cast<char*>(p->text.data()) + skip, p->text.size() - skip};
        skip = 0;
    }
    const ssize_t bytes = sendmsg(socket_, &message, MSG_NOSIGNAL);
    if (bytes <= 0)
        return received(bytes);
    progressed_ = true;
    sent_ += static_cast<std::size_t>(bytes);
    while (request_->answer != nullptr && sent_ >= request_->answer->text.size()) {
        sent_ -= request_->answer->text.size();
        request_->drop_piece();
    }
    if (request_->answer != nullptr)
        return step::done;
    ++answered_;
    const bool keep_alive = request_->keep_alive;
    request::destroy(std::exchange(request_, nullptr));
    if (!keep_alive)
        shutdown(socket_, SHUT_WR);
    enter(keep_alive ? phase::head : phase::lingering);
    return step::done;
}

// Closing at once would reset the connection where the other side still sends, and take the answer from it.
connection::step connection::linger() {
    return received(recv(socket_, input_, most_head_bytes, 0));
}

} // namespace server
