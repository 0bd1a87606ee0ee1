// What the heap does about limits, and about what is asked from outside: all that is free goes back where the
// soft limit is reached, and `lowtide trim` and `lowtide set` are done.
#include "entry/heap.h"

#include "base/part.h"
#include "base/print.h"
#include "os/machine.h"
#include "os/system_text.h"
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
    const uint64_t now = os::now_ms();
    account_file_.write_if_due(settings_.account_s, now);
    if (live_.is_due(now))
        write_live_pages(now);
}

void heap::write_live_pages(uint64_t now_ms) noexcept {
    account a;
    fill(a);
    live_counters c{};
    c.written_ns = os::now_ns();
    c.live_bytes = a.live_bytes;
    c.cached_bytes = a.cached_bytes;
    c.slack_bytes = a.slack_bytes;
    c.hole_bytes = a.hole_bytes;
    c.dirty_bytes = a.pages.dirty_bytes;
    c.used_bytes = a.pages.used_bytes;
    c.committed_bytes = a.pages.committed_bytes;
    c.reserved_bytes = a.pages.reserved_bytes;
    c.huge_bytes = a.huge_bytes;
    c.huge_count = a.huge_count;
    c.large_bytes = a.large_bytes;
    c.large_count = a.large_count;
    c.metadata_bytes = a.metadata_bytes;
    c.returned_bytes = a.returned_bytes;
    c.purges = a.pages.purge_calls;
    c.held_bytes = a.held_bytes;
    c.soft_limit = a.soft_limit;
    c.hard_limit = a.hard_limit;
    c.sample_rate = front_.sampling();
    c.class_count = all_classes;
    for (unsigned i = 0; i < all_classes; ++i) {
        const class_account& n = a.classes[i];
        c.classes[i] = {static_cast<uint32_t>(n.size), static_cast<uint32_t>(n.slabs), n.objects, n.live,
                        n.cached};
    }
    live_.write(c, now_ms);
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
        constexpr std::string_view watch_request = "watch ";
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
        } else if (asked.request.find(watch_request) == 0) {
            const os::number seconds =
                os::to_number(part(asked.request, watch_request.size(), asked.request.size()));
            if (!seconds.there || seconds.value == 0 || seconds.value > most_live_seconds ||
                !live_.begin(asked.fd, static_cast<uint32_t>(seconds.value), os::now_ms()))
                refuse(&refused, "watch: the page can't be shared");
            write_live_pages(os::now_ms());
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
