// See completion.h.
#include "completion.h"

#include "base/options.h"
#include "text_file.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <fmt/format.h>

namespace lowtide::tools {

namespace {

namespace fs = std::filesystem;

/// What the words in front of the last have told.
struct place {
    const CLI::App* command;             // the innermost subcommand
    const CLI::Option* asking = nullptr; // the option whose value comes next
    std::size_t positionals = 0;         // how many have come
};

const CLI::App* subcommand(const CLI::App& app, const std::string& name) {
    const auto found = app.get_subcommands([&](const CLI::App* each) { return each->check_name(name); });
    return found.empty() ? nullptr : found.front();
}

bool is_option(const std::string& word) {
    return word.size() > 1 && word.front() == '-';
}

place find_place(const CLI::App& app, const std::vector<std::string>& words) {
    place at{&app};
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
        const std::string& word = words[i];
        const CLI::App* inner = subcommand(*at.command, word);
        if (at.asking != nullptr) {
            at.asking = nullptr;
        } else if (is_option(word)) {
            const CLI::Option* option = at.command->get_option_no_throw(word);
            if (option != nullptr && option->get_items_expected_min() > 0)
                at.asking = option;
        } else if (inner != nullptr) {
            at = {inner};
        } else {
            ++at.positionals;
        }
    }
    return at;
}

/// The argument that a word without dashes is for; the last takes all that come when it is a list.
const CLI::Option* positional(const place& at) {
    const auto all = at.command->get_options([](const CLI::Option* each) { return each->get_positional(); });
    if (at.positionals < all.size())
        return all[at.positionals];
    return !all.empty() && all.back()->get_items_expected_max() > 1 ? all.back() : nullptr;
}

class list_of_candidates {
public:
    explicit list_of_candidates(std::string text) : text_(std::move(text)) {}

    void offer(const std::string& word, std::string meaning) const {
        if (!word.starts_with(text_))
            return;
        std::ranges::replace_if(
            meaning, [](unsigned char c) { return c < ' '; }, ' ');
        fmt::print("{}\t{}\n", word, meaning);
    }

    void offer_subcommands(const CLI::App& command) const {
        for (const CLI::App* each : command.get_subcommands([](const CLI::App*) { return true; }))
            if (!each->get_group().empty()) // which hides it from --help
                offer(each->get_name(), each->get_description());
    }

    void offer_options(const CLI::App& command) const {
        for (const CLI::Option* each : command.get_options({}))
            if (!each->get_group().empty())
                for (const std::string& name : each->get_lnames())
                    offer("--" + name, each->get_description());
    }

    /// `before` is what the word has in front of the value: "--option=" or nothing.
    void offer_values(const CLI::Option& option, const std::string& before, const value_lists& values) const {
        const std::string type = option.get_type_name();
        const auto known = values.find(option.get_name(option.get_positional()));
        if (known != values.end()) {
            for (const candidate& each : known->second(text_.substr(before.size())))
                offer(before + each.word, each.meaning);
        } else if (!type.starts_with("INT") && !type.starts_with("UINT") && !type.starts_with("FLOAT")) {
            fmt::print(":files\n");
        }
    }

private:
    std::string text_;
};

std::vector<std::string> values_of(const option_description& option) {
    if (option.type == option_type::boolean)
        return {"true", "false"};
    std::vector<std::string> values;
    if (option.type == option_type::choice)
        for (std::int64_t value = option.min; value <= option.max; ++value)
            values.emplace_back(option_text(option, value).view());
    return values;
}

} // namespace

void print_candidates(const CLI::App& app, const std::vector<std::string>& words, const value_lists& values) {
    const std::string text = words.empty() ? "" : words.back();
    const list_of_candidates list(text);
    const place at = find_place(app, words);
    const std::size_t equals = text.find('=');
    if (at.asking != nullptr) {
        list.offer_values(*at.asking, "", values);
    } else if (text.starts_with("-") && equals != text.npos) {
        if (const CLI::Option* option = at.command->get_option_no_throw(text.substr(0, equals)))
            list.offer_values(*option, text.substr(0, equals + 1), values);
    } else if (text.starts_with("-")) {
        list.offer_options(*at.command);
    } else {
        if (at.positionals == 0)
            list.offer_subcommands(*at.command);
        if (const CLI::Option* next = positional(at))
            list.offer_values(*next, "", values);
    }
}

std::vector<candidate> processes_on_lowtide(const std::string&) {
    std::vector<candidate> found;
    std::error_code gone;
    for (const fs::directory_entry& entry : fs::directory_iterator("/proc", gone)) {
        const std::string id = entry.path().filename();
        if (id.find_first_not_of("0123456789") != id.npos)
            continue;
        const auto maps = text_of(entry.path() / "maps");
        if (maps && maps->find("/liblowtide.so") != maps->npos)
            found.push_back({id, text_of(entry.path() / "comm").value_or("")});
    }
    return found;
}

std::vector<candidate> option_settings(const std::string& text) {
    const std::size_t comma = text.rfind(',');
    const std::string before = comma == text.npos ? "" : text.substr(0, comma + 1);
    const std::string entry = text.substr(before.size());
    std::vector<candidate> found;
    for (const option_description& option : option_table) {
        const std::string key = std::string(option.key.view()) + ":";
        if (!entry.starts_with(key))
            found.push_back({before + key, std::string(option.meaning.view())});
        else
            for (const std::string& value : values_of(option))
                found.push_back({before + key + value, ""});
    }
    return found;
}

} // namespace lowtide::tools
