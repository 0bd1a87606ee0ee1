#include "entry/mailbox.h"

#include "os/machine.h"
#include "os/private_file.h"
#include "os/system_text.h"

namespace lowtide {

namespace {

// Where this process's mail is. Without the printer: every process asks for this, few have any mail.
class place {
public:
    [[gnu::cold]] place() noexcept {
        char digits[20];
        size_t count = 0;
        for (size_t rest = os::process_id(); rest != 0; rest /= 10)
            digits[count++] = static_cast<char>('0' + rest % 10);
        __builtin_memcpy(text_, mailbox_prefix.data(), mailbox_prefix.size());
        for (char* to = text_ + mailbox_prefix.size(); count != 0;)
            *to++ = digits[--count];
    }
    [[nodiscard]] const char* text() const noexcept { return text_; }

private:
    char text_[mailbox_prefix.size() + 21]{};
};

// When this process started: field 22 of /proc/self/stat, as text. The second field may have anything in it,
// up to the last bracket.
[[gnu::cold]] std::string_view start_time(char (&text)[1024]) noexcept {
    const long length = os::read_file("/proc/self/stat", text, sizeof(text));
    const std::string_view all(text, length > 0 ? static_cast<size_t>(length) : 0);
    const size_t bracket = all.rfind(')');
    std::string_view fields = part(all, bracket == all.npos ? all.size() : bracket, all.size());
    for (int field = 2; field < 22; ++field)
        os::take(fields, ' ');
    return os::take(fields, ' ');
}

} // namespace

bool mailbox::has_mail() const noexcept {
    return open_ && os::exists(place().text());
}

mailbox::letter mailbox::take(char (&text)[max_mail]) const noexcept {
    const place here;
    const int fd = os::open_private_file(here.text());
    if (fd < 0)
        return {};
    const long length = os::read_all(fd, text, sizeof(text));
    std::string_view rest(text, length > 0 ? static_cast<size_t>(length) : 0);
    char own[1024];
    const std::string_view greeting = os::take(rest, '\n');
    const std::string_view process = os::take(rest, '\n');
    const std::string_view request = os::take(rest, '\n');
    const std::string_view started = start_time(own);
    const bool ours = greeting == mailbox_greeting && process == started && !started.empty();
    // Once it is gone nobody else does the same; what can't be removed would be done again and again.
    if (os::remove_file(here.text()) && ours && rest.empty())
        return {fd, request};
    os::close_file(fd);
    return {};
}

void mailbox::close(const letter& l) noexcept {
    os::close_file(l.fd);
}

} // namespace lowtide
