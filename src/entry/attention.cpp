// What the heap does about limits, and about what is asked from outside: all that is free goes back where the
// soft limit is reached, and `lowtide trim` and `lowtide set` are done.
#include "entry/heap.h"

#include "base/part.h"
#include "base/print.h"
#include "os/machine.h"
#include "os/text_file.h"
#include "os/vm.h"

namespace lowtide {

// In the background thread.
void heap::look_around() noexcept {
    tell_who_asks();
    keep_limits(true);
}

void heap::tell_who_asks() noexcept {
    if (mailbox_.has_mail())
        answer_mail();
    account_file_.write_if_due(settings_.account_s, os::now_ms());
}

void heap::keep_limits(bool look) noexcept {
    if (look) {
        const size_t held = limits_.held_in_blocks();
        const size_t used = pages_.used_bytes();
        watch_.look(front_.is_attended(), held > used ? held - used : 0);
        front_.set_cpu_quota(watch_.cpu_quota());
    }
    if (watch_.asks_for_relief() && relieving_.lock_outermost() != os::acquired::mine) {
        if (watch_.asks_for_relief()) { // another thread may have seen to it
            return_all();
            watch_.note_relief();
        }
        relieving_.unlock_outermost();
    }
    watch_.expect_attention();
}

void heap::answer_mail() noexcept {
    constexpr size_t most = max_mail;
    const uintptr_t buffers = os::map(2 * most, os::page_size()); // not on a stack that may be a handler's
    if (buffers == 0)
        return;
    auto& text = *reinterpret_cast<char(*)[most]>(buffers);
    const mailbox::letter asked = mailbox_.take(text);
    if (asked.fd >= 0) {
        os::text_file file{asked.fd};
        printer answer(reinterpret_cast<char*>(buffers + most), most, os::text_file::write, &file);
        answer.print("answer\n");
        struct refusals {
            printer& to;
            size_t count = 0;
        } refused{answer};
        const auto refuse = [](void* to, std::string_view line) noexcept {
            auto& all = *static_cast<refusals*>(to);
            all.to.print("refused {}\n", line);
            ++all.count;
        };
        constexpr std::string_view set = "set ";
        size_t returned = 0;
        bool answered = false; // as a whole
        if (asked.request == "trim") {
            returned = trim();
        } else if (asked.request.size() > set.size() && asked.request.find(set) == 0) {
            const std::string_view entries = part(asked.request, set.size(), asked.request.size());
            options trial; // all of it or nothing
            trial.parse(entries, option_source::command, {refuse, &refused});
            if (refused.count == 0)
                settings_.parse(entries, option_source::command, {refuse, &refused});
            watch_.apply_options();
            begin_sampling();
            const size_t before = pages_.counts().purged_bytes;
            pages_.keep_cap();
            keep_limits(false);
            returned = pages_.counts().purged_bytes - before;
        } else if (asked.request == "profile") {
            answered = print_profile(answer);
            if (!answered)
                refuse(&refused, "profile: nothing has been sampled");
        } else if (asked.request == "account json" || asked.request == "account openmetrics") {
            const auto result = print_account(
                answer, asked.request == "account json" ? account_format::json : account_format::openmetrics);
            answered = result == account_result::ok;
            if (answered)
                answer.print("end\n");
            else
                refuse(&refused, result == account_result::no_memory
                                     ? "account: there is no memory to take notes in"
                                     : "account: the system doesn't say what is in memory");
        } else {
            refuse(&refused, "this version doesn't know the request");
        }
        if (!answered)
            answer.print("returned {}\nheld {}\nend\n", returned, limits_.held());
        answer.flush();
        mailbox::close(asked);
    }
    os::release(buffers, 2 * most);
}

} // namespace lowtide
