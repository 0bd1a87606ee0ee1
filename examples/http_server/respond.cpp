// What the server answers: to GET a page about the request, to POST its body, to PUT the body's length.
#include "request.h"

#include <algorithm>
#include <charconv>

namespace server {

namespace {

using std::string_view;

constexpr unsigned usual_rows = 16;
constexpr unsigned most_rows = 1000;

const char* reason_of(int status) {
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 405:
        return "Method Not Allowed";
    case 413:
        return "Content Too Large";
    case 417:
        return "Expectation Failed";
    case 431:
        return "Request Header Fields Too Large";
    case 501:
        return "Not Implemented";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Internal Server Error";
    }
}

// Adds text as it may stand in HTML.
void add_escaped(request& r, string_view text) {
    piece* p = r.add_piece();
    const auto marks =
        static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return c == '<' || c == '&'; }));
    auto* out = static_cast<char*>(r.memory.allocate(text.size() + marks * 4 + 1)); // "&amp;" for '&'
    std::size_t length = 0;
    for (const char c : text) {
        const string_view form = c == '<' ? "&lt;" : c == '&' ? "&amp;" : string_view(&c, 1);
        length += form.copy(out + length, form.size());
    }
    p->text = {out, length};
    p->owned = true;
}

// ?rows=N
unsigned rows_of(string_view target) {
    constexpr string_view key = "?rows=";
    const std::size_t at = target.find(key);
    unsigned rows = usual_rows;
    if (at != string_view::npos)
        std::from_chars(target.begin() + at + key.size(), target.end(), rows);
    return std::min(rows, most_rows);
}

void add_page(request& r) {
    r.add_piece()->text = "<!doctype html>\n<title>Request</title>\n<h1>";
    add_escaped(r, r.target);
    r.add_piece()->text = "</h1>\n<dl>\n";
    for (const header* h = r.headers; h != nullptr; h = h->next) {
        r.print("<dt>%.*s<dd>", static_cast<int>(h->name.size()), h->name.data());
        add_escaped(r, h->value);
        r.add_piece()->text = "\n";
    }
    const unsigned rows = rows_of(r.target);
    for (unsigned i = 1; i <= rows; ++i)
        r.print("<dt>row %u<dd>%x\n", i, i * 2654435761U);
    r.add_piece()->text = "</dl>\n";
}

// In front of the pieces that the answer has so far.
void add_head(request& r, int status, const char* type) {
    std::size_t length = 0;
    for (const piece* p = r.answer; p != nullptr; p = p->next)
        length += p->text.size();
    while (r.method == method::head && r.answer != nullptr)
        r.drop_piece();
    r.print_first("HTTP/1.1 %d %s\r\nServer: lowtide-example\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                  "Connection: %s\r\n%s\r\n",
                  status, reason_of(status), type, length, r.keep_alive ? "keep-alive" : "close",
                  status == 405 ? "Allow: GET, HEAD, POST, PUT\r\n" : "");
}

} // namespace

void respond_with_error(request& r, int status) {
    r.keep_alive = false; // where the next request begins isn't known
    r.print("%d %s\n", status, reason_of(status));
    add_head(r, status, "text/plain");
}

void respond(request& r) {
    switch (r.method) {
    case method::get:
    case method::head:
        add_page(r);
        return add_head(r, 200, "text/html");
    case method::post:
        for (const body_part* part = r.body; part != nullptr; part = part->next)
            r.add_piece()->text = {part->block, part->bytes};
        return add_head(r, 200, "application/octet-stream");
    case method::put:
        r.print("%zu bytes\n", r.body_bytes);
        return add_head(r, 200, "text/plain");
    case method::other:
        return respond_with_error(r, 405);
    }
}

} // namespace server
