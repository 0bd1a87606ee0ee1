#include "request.h"

#include <algorithm>

namespace server {

request* request::create(memory_kind kind, scope connection, body_blocks& blocks) {
    scope memory = scope::open(kind, connection, "request", 8192);
    return memory.make<request>(memory, &blocks);
}

// With regions this is one call. Without, every object is freed that was allocated, as in any server.
void request::destroy(request* r) {
    scope memory = r->memory;
    if (memory.frees_all()) {
        memory.close();
        return;
    }
    for (header* h = r->headers; h != nullptr;) {
        header* next = h->next;
        memory.release(h->name.data());
        memory.release(h);
        h = next;
    }
    for (body_part* part = r->body; part != nullptr;) {
        body_part* next = part->next;
        r->blocks->give(part->block);
        memory.release(part);
        part = next;
    }
    while (r->answer != nullptr)
        r->drop_piece();
    memory.release(r);
}

char* request::body_room(std::size_t* bytes) {
    if (last_part == nullptr || last_part->bytes == body_blocks::block_bytes) {
        auto* part = memory.make<body_part>(nullptr, nullptr, std::size_t{0});
        (last_part == nullptr ? body : last_part->next) = part;
        last_part = part;
        part->block = static_cast<char*>(blocks->take(memory));
    }
    *bytes = std::min(content_length - body_bytes, body_blocks::block_bytes - last_part->bytes);
    return last_part->block + last_part->bytes;
}

void request::add_body(std::size_t bytes) {
    last_part->bytes += bytes;
    body_bytes += bytes;
}

piece* request::add_piece() {
    auto* p = memory.make<piece>();
    (answer == nullptr ? answer : last_piece->next) = p;
    last_piece = p;
    return p;
}

// The piece first, so that nothing is lost where there is no memory for the text.
void request::print(const char* format, ...) {
    piece* p = add_piece();
    va_list arguments;
    va_start(arguments, format);
    p->text = memory.print(format, arguments);
    va_end(arguments);
    p->owned = true;
}

void request::print_first(const char* format, ...) {
    if (answer == nullptr)
        add_piece();
    else
        answer = memory.make<piece>(answer);
    va_list arguments;
    va_start(arguments, format);
    answer->text = memory.print(format, arguments);
    va_end(arguments);
    answer->owned = true;
}

void request::drop_piece() {
    piece* first = answer;
    answer = first->next;
    if (first->owned)
        memory.release(first->text.data());
    memory.release(first);
}

} // namespace server
