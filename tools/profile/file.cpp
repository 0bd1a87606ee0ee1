// See file.h.
#include "profile/file.h"

#include "profile/gzip.h"
#include "profile/pprof.h"
#include "profile/raw.h"
#include "tools/errors.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace lowtide::tools {

namespace fs = std::filesystem;

namespace {

/// The longer ones first.
constexpr std::pair<std::string_view, file_format> name_ends[] = {
    {".speedscope.json", file_format::speedscope},
    {".collapsed", file_format::collapsed},
    {".folded", file_format::collapsed},
    {".pb.gz", file_format::pprof},
    {".json", file_format::json},
    {".raw", file_format::raw},
    {".txt", file_format::text},
};

[[noreturn]] void fail(const fs::path& file, int error) {
    throw user_error(fmt::format("{}: {}", file.string(), std::generic_category().message(error)));
}

} // namespace

const std::map<std::string, file_format>& file_formats() {
    static const std::map<std::string, file_format> all = {
        {"text", file_format::text},           {"pprof", file_format::pprof},
        {"collapsed", file_format::collapsed}, {"speedscope", file_format::speedscope},
        {"json", file_format::json},           {"raw", file_format::raw}};
    return all;
}

std::optional<file_format> format_of(const fs::path& file) {
    for (const auto& [end, format] : name_ends)
        if (file.native().ends_with(end))
            return format;
    return std::nullopt;
}

heap_profile read_profile(const fs::path& file) {
    std::error_code error;
    if (fs::is_directory(file, error))
        fail(file, EISDIR);
    errno = 0;
    std::ifstream in(file, std::ios::binary);
    if (!in)
        fail(file, errno);
    const std::string data{std::istreambuf_iterator<char>(in), {}};
    if (is_gzip(data))
        return read_pprof(gunzip(data, file), file);
    const std::string_view start = std::string_view(data).substr(0, raw_greeting.size());
    if (!raw_greeting.starts_with(start) || data.empty())
        throw user_error(
            fmt::format("{}: this is no profile, neither of Lowtide nor of pprof", file.string()));
    return read_raw(data, file);
}

output_file::output_file(fs::path file) : file_(std::move(file)), fd_(STDOUT_FILENO) {
    if (file_.empty())
        return;
    std::error_code error;
    is_ours_ = !fs::exists(file_, error);
    fd_ = open(file_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd_ < 0)
        fail(file_, errno);
}

output_file::~output_file() {
    if (file_.empty())
        return;
    close(fd_);
    std::error_code ignored;
    if (is_ours_)
        fs::remove(file_, ignored);
}

bool output_file::is_terminal() const {
    return isatty(fd_) != 0;
}

void output_file::write(std::string_view data) {
    if (!file_.empty() && ftruncate(fd_, 0) != 0 && errno != EINVAL) // a pipe or a device has no size
        fail(file_, errno);
    while (!data.empty()) {
        const ssize_t written = ::write(fd_, data.data(), data.size());
        if (written < 0 && errno != EINTR)
            fail(file_.empty() ? "standard output" : file_, errno);
        data.remove_prefix(written > 0 ? static_cast<std::size_t>(written) : 0);
    }
    is_ours_ = false; // it stays
}

} // namespace lowtide::tools
