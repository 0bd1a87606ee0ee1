// One connection: reads a request, answers it, and then reads the next one, which may be there already.
//
// Its scope has the connection itself and the buffer that heads are read into; each request has a scope
// inside it.
#pragma once

#include "request.h"

#include <cstdint>

namespace server {

class connection {
public:
    /// Takes the socket, which doesn't block. Throws std::bad_alloc: then the socket is the caller's.
    static connection* create(memory_kind kind, body_blocks& blocks, int socket);
    static void destroy(connection* c);

    enum class outcome {
        waiting, // for the other side
        busy,    // could go on, but others want their turn
        finished,
    };
    outcome advance();

    [[nodiscard]] int socket() const { return socket_; }
    /// Requests that were answered since the last call.
    [[nodiscard]] std::uint64_t take_answered() { return std::exchange(answered_, 0); }
    /// Whether since the last call something happened that earns the other side more time. A head in pieces
    /// doesn't.
    [[nodiscard]] bool take_progress() { return std::exchange(progressed_, false); }

    // The worker's: the connection's place in the queue of deadlines.
    connection* sooner = nullptr;
    connection* later = nullptr;
    std::int64_t deadline = 0;

private:
    enum class phase { head, body, answer, lingering };
    enum class step { done, wait, end };

    step read_head();
    step read_body();
    step send_answer();
    step linger();
    step received(long bytes);
    void enter(phase next);
    void answer_with(int error);

    scope memory_;
    memory_kind kind_ = memory_kind::regions;
    body_blocks* blocks_ = nullptr;
    int socket_ = -1;
    phase phase_ = phase::head;
    bool progressed_ = true;
    std::uint64_t answered_ = 0;

    char* input_ = nullptr;
    std::size_t begin_ = 0; // of what is not used yet
    std::size_t end_ = 0;
    request* request_ = nullptr; // refers to the input before begin_
    std::size_t sent_ = 0;       // of the answer's first piece
};

} // namespace server
