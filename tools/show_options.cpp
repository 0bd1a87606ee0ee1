// `lowtide options`: see show_options.h.
#include "show_options.h"

#include "text_file.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace lowtide::tools {

namespace {

std::string text(const option_description& option, std::int64_t value) {
    return std::string(option_text(option, value).view());
}

nlohmann::json json_value(const option_description& option, std::int64_t value) {
    if (option.type == option_type::boolean)
        return value != 0;
    if (option.type == option_type::choice)
        return text(option, value);
    return value;
}

std::string_view name_of(option_type type) {
    switch (type) {
    case option_type::size:
        return "size";
    case option_type::time_ms:
        return "ms";
    case option_type::count:
        return "count";
    case option_type::choice:
        return "choice";
    case option_type::boolean:
        break;
    }
    return "bool";
}

std::string range_of(const option_description& option) {
    if (option.type == option_type::choice)
        return std::string(option.words.view());
    return option.type == option_type::boolean
               ? "true or false"
               : fmt::format("{} to {}{}", text(option, option.min), text(option, option.max),
                             option.type == option_type::time_ms ? " ms" : "");
}

nlohmann::ordered_json as_json(const option_description& option, std::int64_t value, option_source source) {
    return {
        {"key", option.key.view()},
        {"type", name_of(option.type)},
        {"value", json_value(option, value)},
        {"source", lowtide::name_of(source)},
        {"default", json_value(option, option.load(options{}))},
        {"min", json_value(option, option.min)},
        {"max", json_value(option, option.max)},
        {"meaning", option.meaning.view()},
    };
}

} // namespace

options options_in_effect(const std::filesystem::path& file, const char* environment) {
    const option_warning on_stderr = {[](void*, std::string_view line) noexcept {
                                          std::fwrite(line.data(), 1, line.size(), stderr);
                                          std::fputc('\n', stderr);
                                      },
                                      nullptr};
    options result;
    if (const auto content = text_of(file))
        result.parse(*content, option_source::file, on_stderr);
    if (environment != nullptr)
        result.parse(environment, option_source::environment, on_stderr);
    return result;
}

void print_options(const options& in_effect, bool json) {
    auto list = nlohmann::ordered_json::array();
    for (std::size_t i = 0; i < option_count; ++i) {
        const option_description& option = option_table[i];
        const std::int64_t value = option.load(in_effect);
        if (json)
            list.push_back(as_json(option, value, in_effect.sources[i]));
        else
            fmt::print("{:<12} {:<8} from: {:<18} default: {:<6} range: {}\n{:<12} {}\n", option.key.view(),
                       text(option, value), lowtide::name_of(in_effect.sources[i]),
                       text(option, option.load(options{})), range_of(option), "", option.meaning.view());
    }
    if (json)
        fmt::print("{}\n", list.dump(2));
}

} // namespace lowtide::tools
