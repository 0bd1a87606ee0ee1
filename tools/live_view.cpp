// See live_view.h.
#include "live_view.h"

#include "errors.h"
#include "letter.h"

#include <chrono>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

namespace lowtide::tools {

struct live_view::state {
    explicit state(int id) : of(id) {}
    ~state() {
        // Taken back by the user who sent it.
        try {
            const borrowed_rights rights(of);
            sent.reset();
        } catch (const user_error&) {
        }
        unmap();
    }

    void ask() {
        const borrowed_rights rights(of);
        sent.reset();
        sent.emplace(of, fmt::format("watch {}", seconds_asked_for));
        of.summon();
        asked_at = clock::now();
    }
    void unmap() {
        if (page != nullptr)
            munmap(const_cast<live_page*>(page), sizeof(live_page));
        page = nullptr;
    }
    /// Once the answer is there.
    void take_page() {
        if (!sent)
            return;
        const std::optional<std::string> answer = sent->answer();
        if (!answer)
            return;
        struct stat file {};
        void* at = MAP_FAILED;
        if (understand(*answer).refused.empty() && fstat(sent->file(), &file) == 0 &&
            static_cast<std::size_t>(file.st_size) >= live_page_offset + sizeof(live_page))
            at = mmap(nullptr, sizeof(live_page), PROT_READ, MAP_SHARED, sent->file(), live_page_offset);
        sent.reset();
        if (at == MAP_FAILED) {
            refused = "it is on a version of Lowtide that has no live view";
            return;
        }
        unmap();
        page = static_cast<const live_page*>(at);
        if (page->magic != live_page_magic || page->version != live_page_version ||
            page->bytes < sizeof(live_page)) {
            refused =
                fmt::format("its live view is of version {}, which this command doesn't know", page->version);
            unmap();
        }
    }

    using clock = std::chrono::steady_clock;
    static constexpr int seconds_asked_for = 20;
    static constexpr std::chrono::seconds renewed_after{12};

    asked_process of;
    std::optional<letter> sent;
    const live_page* page = nullptr;
    clock::time_point asked_at;
    std::string refused;
};

live_view::live_view(int id) : state_(std::make_unique<state>(id)) {
    state_->ask();
}

live_view::~live_view() = default;

std::optional<live_counters> live_view::read() {
    state_->take_page();
    if (!state_->sent && state_->refused.empty() &&
        state::clock::now() - state_->asked_at > state::renewed_after)
        try {
            state_->ask();
        } catch (const user_error&) { // somebody else is asking: another time
        }
    live_counters now;
    for (int attempt = 0; state_->page != nullptr && attempt < 1000; ++attempt)
        if (read_live(*state_->page, now))
            return now;
    return std::nullopt;
}

bool live_view::has_ended() const {
    return state_->of.has_ended();
}

std::string live_view::silence() const {
    return state_->refused.empty() ? state_->of.silence() : state_->refused;
}

} // namespace lowtide::tools
