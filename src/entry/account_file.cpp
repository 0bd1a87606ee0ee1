#include "entry/account_file.h"

#include "base/print.h"
#include "entry/heap.h"
#include "os/environment.h"
#include "os/machine.h"
#include "os/private_file.h"
#include "os/text_file.h"

namespace lowtide {

void account_file::set_folder(std::string_view folder) noexcept {
    too_long_ = folder.size() >= most_folder; // half of a name could be another folder's
    for (size_t i = 0; !too_long_ && i < most_folder; ++i)
        folder_[i] = i < folder.size() ? folder[i] : '\0';
}

bool account_file::make_path(char* to, size_t size, const char* behind) const noexcept {
    printer path(to, size);
    const std::string_view folder = folder_[0] == '\0' ? account_folder : std::string_view(folder_);
    path.print("{}/{}{}", folder, os::process_id(), behind).print("{}", '\0');
    return !path.truncated();
}

void account_file::write(uint32_t seconds, uint64_t now_ms) noexcept {
    char path[most_folder + 40];
    char draft[most_folder + 40];
    if (too_long_ || os::is_secure() || !make_path(path, sizeof(path), ".prom") ||
        !make_path(draft, sizeof(draft), ".prom.new") || writing_.lock_outermost() == os::acquired::mine)
        return;
    if (now_ms >= next_ms_.load(std::memory_order_relaxed)) {
        next_ms_.store(now_ms + seconds * uint64_t{1000}, std::memory_order_relaxed);
        os::remove_file(draft); // of a process of this number that was killed
        const int fd = os::create_new_file(draft);
        bool done = fd >= 0;
        if (done) {
            account_result result = account_result::ok;
            done = os::print_to(fd, [&result](printer& out) {
                result = the_heap.print_account(out, account_format::openmetrics);
            });
            done = done && result == account_result::ok;
            os::close_file(fd);
        }
        done = done && os::rename_file(draft, path);
        if (done) {
            written_by_.store(os::process_id(), std::memory_order_relaxed);
        } else {
            os::remove_file(draft);
            complain(path);
        }
    }
    writing_.unlock_outermost();
}

void account_file::complain(const char* path) noexcept {
    char text[most_folder + 120];
    printer line(text);
    line.print("lowtide: the account can't be written to {} (option account)\n", path);
    if (!complained_)
        os::write_all(2, line.text().data(), line.text().size());
    complained_ = true;
}

void account_file::remove_own() noexcept {
    char path[most_folder + 40];
    if (written_by_.load(std::memory_order_relaxed) == os::process_id() &&
        make_path(path, sizeof(path), ".prom"))
        os::remove_file(path);
}

} // namespace lowtide
