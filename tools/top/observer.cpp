// See observer.h.
#include "top/observer.h"

#include "tools/completion.h"
#include "tools/errors.h"
#include "tools/text_file.h"

#include <charconv>
#include <filesystem>
#include <sstream>
#include <unistd.h>

namespace lowtide::tools {

namespace {

/// So long a process has to answer before it is said why it doesn't.
constexpr std::chrono::milliseconds patience{600};

std::filesystem::path folder_of(int id) {
    return "/proc/" + std::to_string(id);
}

/// A name is the program's: nothing of it may play with the terminal.
std::string command_of(int id) {
    std::string name = text_of(folder_of(id) / "comm").value_or("");
    std::erase(name, '\n');
    for (char& c : name)
        if (static_cast<unsigned char>(c) < ' ' || c == 0x7f)
            c = '?';
    return name;
}

std::uint64_t resident_of(int id) {
    std::istringstream pages(text_of(folder_of(id) / "statm").value_or("0 0"));
    std::uint64_t all = 0;
    std::uint64_t resident = 0;
    pages >> all >> resident;
    return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

double rate(std::uint64_t before, std::uint64_t now, double seconds) {
    return seconds <= 0 ? 0 : (static_cast<double>(now) - static_cast<double>(before)) / seconds;
}

} // namespace

std::set<int> observer::find() const {
    if (!chosen_.empty())
        return {chosen_.begin(), chosen_.end()};
    std::set<int> found;
    for (const candidate& one : processes_on_lowtide("")) {
        int id = 0;
        std::from_chars(one.word.data(), one.word.data() + one.word.size(), id);
        if (id != getpid())
            found.insert(id);
    }
    return found;
}

process_sample observer::look_at(int id, watched& one) {
    process_sample now;
    now.id = id;
    now.command = command_of(id);
    now.resident = resident_of(id);
    now.note = one.note;
    if (one.view != nullptr) {
        now.counters = one.view->read();
        if (!now.counters)
            now.note = clock::now() - one.since < patience ? "asked" : one.view->silence();
    }
    const auto at = clock::now();
    if (one.before) {
        const double seconds = std::chrono::duration<double>(at - one.before_at).count();
        now.resident_rate = rate(one.before->resident, now.resident, seconds);
        if (now.counters && one.before->counters)
            now.returned_rate =
                rate(one.before->counters->returned_bytes, now.counters->returned_bytes, seconds);
    }
    one.before = now;
    one.before_at = at;
    return now;
}

std::vector<process_sample> observer::look() {
    const std::set<int> there = find();
    std::erase_if(all_, [&](const auto& one) { return !there.contains(one.first); });
    for (const int id : there) {
        const auto [at, is_new] = all_.try_emplace(id);
        if (!is_new)
            continue;
        at->second.since = clock::now();
        try {
            at->second.view = std::make_unique<live_view>(id);
        } catch (const user_error& error) {
            at->second.note = error.what();
        }
    }
    std::vector<process_sample> samples;
    for (auto at = all_.begin(); at != all_.end();) {
        if (at->second.view != nullptr ? at->second.view->has_ended()
                                       : !std::filesystem::exists(folder_of(at->first))) {
            std::erase(chosen_, at->first);
            at = all_.erase(at);
            continue;
        }
        // Another user's is shown only if somebody wants that one.
        if (at->second.view != nullptr || !chosen_.empty())
            samples.push_back(look_at(at->first, at->second));
        ++at;
    }
    return samples;
}

} // namespace lowtide::tools
