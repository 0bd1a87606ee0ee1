// See gzip.h.
#include "profile/gzip.h"

#include "tools/errors.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <new>
#include <zlib.h>

namespace lowtide::tools {

namespace {

constexpr int gzip_format = 16 + MAX_WBITS; // as inflateInit2 and deflateInit2 are told
constexpr int memory_level = 8;             // zlib's default
constexpr std::size_t piece = 1 << 16;

/// zlib counts what is there with an unsigned int: more is given in pieces.
void feed(z_stream& stream, std::string_view& data) {
    if (stream.avail_in != 0)
        return;
    const std::size_t size = std::min<std::size_t>(data.size(), std::numeric_limits<uInt>::max());
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data())); // which it doesn't change
    stream.avail_in = static_cast<uInt>(size);
    data.remove_prefix(size);
}

/// Calls `step` until it has no more to say than `result` has room for. What it returned last.
template <class Step>
int run(z_stream& stream, std::string_view data, std::string& result, Step step) {
    for (;;) {
        feed(stream, data);
        const std::size_t before = result.size();
        result.resize(before + piece);
        stream.next_out = reinterpret_cast<Bytef*>(result.data() + before);
        stream.avail_out = piece;
        const int status = step(&stream, data.empty() ? Z_FINISH : Z_NO_FLUSH);
        result.resize(before + piece - stream.avail_out);
        const bool goes_on = status == Z_OK || (status == Z_BUF_ERROR && stream.avail_out == 0);
        if (!goes_on)
            return status;
    }
}

} // namespace

bool is_gzip(std::string_view data) {
    return data.starts_with("\x1f\x8b");
}

std::string gunzip(std::string_view data, const std::string& name) {
    z_stream stream{};
    if (inflateInit2(&stream, gzip_format) != Z_OK)
        throw std::bad_alloc();
    std::string result;
    const int status = run(stream, data, result, inflate);
    const bool more = stream.avail_in != 0;
    inflateEnd(&stream);
    if (status == Z_BUF_ERROR)
        throw user_error(fmt::format("{}: cut off: its compressed data doesn't end", name));
    if (status != Z_STREAM_END || more)
        throw user_error(fmt::format("{}: its compressed data is damaged", name));
    return result;
}

std::string gzip(std::string_view data) {
    z_stream stream{};
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, gzip_format, memory_level,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        throw std::bad_alloc();
    std::string result;
    run(stream, data, result, deflate);
    deflateEnd(&stream);
    return result;
}

} // namespace lowtide::tools
