// The head of a request: RFC 9112, with nothing that it merely tolerates.
#include "request.h"

#include <algorithm>
#include <charconv>

namespace server {

namespace {

using std::string_view;

bool is_token(string_view text) {
    constexpr string_view allowed =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!#$%&'*+-.^_`|~";
    return !text.empty() && text.find_first_not_of(allowed) == string_view::npos;
}

bool is_control(char c) {
    return (static_cast<unsigned char>(c) < ' ' && c != '\t') || c == 127;
}

char to_lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

bool equal_but_for_case(string_view a, string_view b) {
    return std::ranges::equal(a, b, {}, to_lower, to_lower);
}

string_view trimmed(string_view text) {
    const std::size_t begin = text.find_first_not_of(" \t");
    if (begin == string_view::npos)
        return {};
    return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

// Cuts off what is before `mark`; the rest doesn't have the mark. Without one: all, and the rest is empty.
string_view cut(string_view& rest, string_view mark) {
    const std::size_t at = rest.find(mark);
    const string_view first = rest.substr(0, at);
    rest = at == string_view::npos ? string_view{} : rest.substr(at + mark.size());
    return first;
}

int parse_request_line(request& r, string_view line) {
    const string_view name = cut(line, " ");
    const string_view target = cut(line, " ");
    if (!is_token(name) || !target.starts_with('/') || std::ranges::any_of(target, is_control))
        return 400;
    if (line != "HTTP/1.1" && line != "HTTP/1.0")
        return line.starts_with("HTTP/") ? 505 : 400;
    r.keep_alive = line == "HTTP/1.1";
    r.target = target;
    r.method = name == "GET"    ? method::get
               : name == "HEAD" ? method::head
               : name == "POST" ? method::post
               : name == "PUT"  ? method::put
                                : method::other;
    return 0;
}

int parse_length(request& r, string_view value) {
    std::size_t length = 0;
    const auto [end, error] = std::from_chars(value.begin(), value.end(), length);
    if (value.empty() || end != value.end())
        return 400;
    if (error != std::errc{} || length > most_body_bytes)
        return 413;
    r.content_length = length;
    return 0;
}

// Adds a header to the table. 0, or the status to answer with.
int parse_header(request& r, string_view line) {
    const std::size_t colon = line.find(':');
    if (colon == string_view::npos || !is_token(line.substr(0, colon)))
        return 400;
    const string_view value = trimmed(line.substr(colon + 1));
    if (std::ranges::any_of(value, is_control))
        return 400;
    r.headers = r.memory.make<header>(r.headers, string_view{}, value);
    auto* name = static_cast<char*>(r.memory.allocate(colon));
    std::ranges::transform(line.substr(0, colon), name, to_lower);
    r.headers->name = {name, colon};
    return 0;
}

const header* find_header(const request& r, string_view name, const header* behind = nullptr) {
    const header* h = behind == nullptr ? r.headers : behind->next;
    while (h != nullptr && h->name != name)
        h = h->next;
    return h;
}

// What the headers say about the connection and the body.
int apply_headers(request& r, bool host_needed) {
    if (host_needed && find_header(r, "host") == nullptr)
        return 400;
    if (find_header(r, "transfer-encoding") != nullptr)
        return find_header(r, "content-length") != nullptr ? 400 : 501;
    if (const header* length = find_header(r, "content-length")) {
        if (find_header(r, "content-length", length) != nullptr)
            return 400;
        if (const int status = parse_length(r, length->value))
            return status;
    }
    if (const header* connection = find_header(r, "connection")) {
        string_view rest = connection->value;
        while (!rest.empty()) {
            const string_view wish = trimmed(cut(rest, ","));
            if (equal_but_for_case(wish, "close"))
                r.keep_alive = false;
            else if (equal_but_for_case(wish, "keep-alive"))
                r.keep_alive = true;
        }
    }
    const header* expect = find_header(r, "expect");
    r.expects_continue = expect != nullptr && equal_but_for_case(expect->value, "100-continue");
    return expect != nullptr && !r.expects_continue ? 417 : 0;
}

} // namespace

std::size_t find_head(string_view input) {
    for (std::size_t line = 0;;) {
        const std::size_t end = input.find('\n', line);
        if (end == string_view::npos)
            return head_incomplete;
        if (end == line || input[end - 1] != '\r')
            return head_bad;
        if (end - line == 1)
            return line == 0 ? head_bad : end + 1;
        line = end + 1;
    }
}

int parse_head(request& r, string_view head) {
    head.remove_suffix(2); // the empty line
    if (const int status = parse_request_line(r, cut(head, "\r\n")))
        return status;
    const bool host_needed = r.keep_alive; // HTTP/1.1
    for (unsigned count = 0; !head.empty(); ++count) {
        if (count == most_headers)
            return 431;
        if (const int status = parse_header(r, cut(head, "\r\n")))
            return status;
    }
    return apply_headers(r, host_needed);
}

} // namespace server
