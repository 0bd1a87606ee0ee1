// One request and its answer. All of it lies in the request's scope, the body in blocks of 2 MiB.
#pragma once

#include "memory.h"

#include <cstddef>
#include <string_view>

namespace server {

inline constexpr std::size_t most_head_bytes = 8192;
inline constexpr unsigned most_headers = 100;
inline constexpr std::size_t most_body_bytes = std::size_t{16} << 20;

struct header {
    header* next;
    std::string_view name; // in lower case
    std::string_view value;
};

// A block of the body; all but the last are full.
struct body_part {
    body_part* next;
    char* block;
    std::size_t bytes;
};

// A piece of the answer.
struct piece {
    piece* next = nullptr;
    std::string_view text{};
    bool owned = false; // to be released: neither part of the body nor constant
};

enum class method { get, head, post, put, other };

struct request {
    scope memory;
    body_blocks* blocks;
    server::method method = method::other;
    std::string_view target{};
    header* headers = nullptr; // the last one first
    bool keep_alive = false;
    bool expects_continue = false;
    std::size_t content_length = 0;

    std::size_t body_bytes = 0; // read so far
    body_part* body = nullptr;
    body_part* last_part = nullptr;

    piece* answer = nullptr; // what is yet to be sent
    piece* last_piece = nullptr;

    static request* create(memory_kind kind, scope connection, body_blocks& blocks);
    static void destroy(request* r);

    [[nodiscard]] bool has_whole_body() const { return body_bytes == content_length; }
    /// Where more of the body may be read to, as much as is still to come of it or of a block: throws
    /// std::bad_alloc.
    [[nodiscard]] char* body_room(std::size_t* bytes);
    void add_body(std::size_t bytes);
    /// At the end of the answer, to be filled in.
    piece* add_piece();
    /// A piece that is printed, at the end or the beginning.
    [[gnu::format(printf, 2, 3)]] void print(const char* format, ...);
    [[gnu::format(printf, 2, 3)]] void print_first(const char* format, ...);
    /// The first piece is sent.
    void drop_piece();
};

// The head of a request, up to and with the empty line: parse.cpp.
inline constexpr std::size_t head_incomplete = 0;
inline constexpr std::size_t head_bad = static_cast<std::size_t>(-1);
/// Its length, or one of the above.
[[nodiscard]] std::size_t find_head(std::string_view input);
/// Fills the request, which refers to `head` from now on. 0, or the status to answer with.
[[nodiscard]] int parse_head(request& r, std::string_view head);

// The answers: respond.cpp.
void respond(request& r);
void respond_with_error(request& r, int status);

} // namespace server
