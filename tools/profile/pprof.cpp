// See pprof.h.
#include "profile/pprof.h"

#include "tools/errors.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <map>
#include <optional>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>
#include <stdexcept>
#include <tuple>
#include <unordered_map>

namespace lowtide::tools {

namespace {

using protozero::pbf_reader;
using protozero::pbf_writer;
using protozero::tag_and_type;
constexpr auto varint = protozero::pbf_wire_type::varint;
constexpr auto bytes = protozero::pbf_wire_type::length_delimited;

/// The fields of the messages, by number.
namespace in_profile {
enum : protozero::pbf_tag_type {
    sample_type = 1,
    sample = 2,
    mapping = 3,
    location = 4,
    function = 5,
    string_table = 6,
    time_nanos = 9,
    duration_nanos = 10,
    period_type = 11,
    period = 12,
    comment = 13,
    default_sample_type = 14,
};
}
namespace in_value_type {
enum : protozero::pbf_tag_type { type = 1, unit = 2 };
}
namespace in_sample {
enum : protozero::pbf_tag_type { location_id = 1, value = 2 };
}
namespace in_mapping {
enum : protozero::pbf_tag_type {
    id = 1,
    memory_start = 2,
    memory_limit = 3,
    file_offset = 4,
    filename = 5,
    build_id = 6,
    has_functions = 7,
    has_filenames = 8,
    has_line_numbers = 9,
    has_inline_frames = 10,
};
}
namespace in_location {
enum : protozero::pbf_tag_type { id = 1, mapping_id = 2, address = 3, line = 4 };
}
namespace in_line {
enum : protozero::pbf_tag_type { function_id = 1, line = 2 };
}
namespace in_function {
enum : protozero::pbf_tag_type { id = 1, name = 2, system_name = 3, filename = 4 };
}

/// What the format has no field for is a comment.
constexpr std::string_view program_comment = "program: ";
constexpr std::string_view pid_comment = "pid: ";

/// The strings of a profile, each once; the first is empty.
class string_table {
public:
    std::int64_t operator()(std::string_view text) {
        const auto [place, is_new] = numbers_.try_emplace(std::string(text), strings_.size());
        if (is_new)
            strings_.push_back(place->first);
        return static_cast<std::int64_t>(place->second);
    }
    const std::vector<std::string>& all() const { return strings_; }

private:
    std::vector<std::string> strings_ = {""};
    std::unordered_map<std::string, std::size_t> numbers_ = {{"", 0}};
};

class writer {
public:
    writer(const heap_profile& profile, quantity shown) : profile_(profile), shown_(shown) {
        for (const location& each : profile.locations)
            mappings_.push_back(profile.mapping_of(each));
    }

    std::string write() {
        for (const quantity_description& each : quantities)
            write_value_type(in_profile::sample_type, each.pprof_type, each.unit);
        for (const site& each : profile_.sites)
            write_sample(each);
        write_mappings();
        for (std::size_t i = 0; i < profile_.locations.size(); ++i)
            write_location(i);
        write_functions();
        out_.add_int64(in_profile::time_nanos, profile_.taken_ns);
        out_.add_int64(in_profile::duration_nanos, profile_.duration_ns());
        write_value_type(in_profile::period_type, "space", "bytes");
        out_.add_int64(in_profile::period, profile_.rate);
        if (!profile_.program.empty())
            out_.add_int64(in_profile::comment,
                           strings_(fmt::format("{}{}", program_comment, profile_.program)));
        if (profile_.pid != 0)
            out_.add_int64(in_profile::comment, strings_(fmt::format("{}{}", pid_comment, profile_.pid)));
        out_.add_int64(in_profile::default_sample_type, strings_(description_of(shown_).pprof_type));
        for (const std::string& each : strings_.all())
            out_.add_string(in_profile::string_table, each);
        return std::move(message_);
    }

private:
    void write_value_type(protozero::pbf_tag_type field, std::string_view type, std::string_view unit) {
        pbf_writer to(out_, field);
        to.add_int64(in_value_type::type, strings_(type));
        to.add_int64(in_value_type::unit, strings_(unit));
    }

    void write_sample(const site& from) {
        pbf_writer to(out_, in_profile::sample);
        std::vector<std::uint64_t> ids(from.stack.begin(), from.stack.end());
        for (std::uint64_t& id : ids)
            ++id; // 0 is none
        to.add_packed_uint64(in_sample::location_id, ids.begin(), ids.end());
        to.add_packed_int64(in_sample::value, from.amount.of.begin(), from.amount.of.end());
    }

    /// The first is taken for the program's.
    void write_mappings() {
        for (const mapping& each : profile_.mappings)
            if (each.path == profile_.program)
                write_mapping(each);
        for (const mapping& each : profile_.mappings)
            if (each.path != profile_.program)
                write_mapping(each);
    }

    void write_mapping(const mapping& from) {
        bool functions = false;
        bool files = false;
        bool inlined = false;
        for (std::size_t i = 0; i < mappings_.size(); ++i) {
            const location& at = profile_.locations[i];
            if (at.frames.empty() || mappings_[i] != &from)
                continue;
            functions = true;
            files |= !at.frames.front().file.empty();
            inlined |= at.frames.size() > 1;
        }
        const std::uint64_t id = mapping_ids_.size() + 1;
        mapping_ids_.emplace(&from, id);
        pbf_writer to(out_, in_profile::mapping);
        to.add_uint64(in_mapping::id, id);
        to.add_uint64(in_mapping::memory_start, from.start);
        to.add_uint64(in_mapping::memory_limit, from.end);
        to.add_uint64(in_mapping::file_offset, from.offset);
        to.add_int64(in_mapping::filename, strings_(from.path));
        to.add_int64(in_mapping::build_id, strings_(from.build_id));
        to.add_bool(in_mapping::has_functions, functions);
        to.add_bool(in_mapping::has_filenames, files);
        to.add_bool(in_mapping::has_line_numbers, files);
        to.add_bool(in_mapping::has_inline_frames, inlined);
    }

    void write_location(std::size_t index) {
        const location& from = profile_.locations[index];
        pbf_writer to(out_, in_profile::location);
        to.add_uint64(in_location::id, index + 1);
        if (const mapping* in = mappings_[index])
            to.add_uint64(in_location::mapping_id, mapping_ids_.at(in));
        if (from.return_address != 0)
            to.add_uint64(in_location::address, from.call_address());
        for (const frame& each : from.frames) {
            const auto function = std::make_tuple(each.function, each.symbol, each.file);
            const std::uint64_t id = functions_.try_emplace(function, functions_.size() + 1).first->second;
            pbf_writer line(to, in_location::line);
            line.add_uint64(in_line::function_id, id);
            line.add_int64(in_line::line, each.line);
        }
    }

    void write_functions() {
        for (const auto& [function, id] : functions_) {
            const auto& [name, symbol, file] = function;
            pbf_writer to(out_, in_profile::function);
            to.add_uint64(in_function::id, id);
            to.add_int64(in_function::name, strings_(name));
            to.add_int64(in_function::system_name, strings_(symbol));
            to.add_int64(in_function::filename, strings_(file));
        }
    }

    const heap_profile& profile_;
    const quantity shown_;
    std::vector<const mapping*> mappings_; // of each location; null if it isn't known
    std::string message_;
    pbf_writer out_{message_};
    string_table strings_;
    std::map<const mapping*, std::uint64_t> mapping_ids_;
    std::map<std::tuple<std::string, std::string, std::string>, std::uint64_t> functions_;
};

/// What is wrong with the message, where it can be decoded.
struct malformed : std::runtime_error {
    using std::runtime_error::runtime_error;
};

template <class Map>
const typename Map::mapped_type& look_up(const Map& in, std::uint64_t id, const char* what) {
    const auto found = in.find(id);
    if (found == in.end())
        throw malformed(fmt::format("there is no {} {}", what, id));
    return found->second;
}

/// Two passes: the strings, which all others refer to, are last; and so on up to the samples.
class reader {
public:
    explicit reader(std::string_view message) : message_(message.data(), message.size()) {}

    heap_profile read() {
        each(in_profile::string_table, bytes, [&](pbf_reader& in) { strings_.push_back(in.get_string()); });
        if (strings_.empty())
            throw malformed("it has no strings");
        each(in_profile::sample_type, bytes, [&](pbf_reader& in) { read_sample_type(in.get_message()); });
        if (std::ranges::find(columns_, quantity::in_use_bytes) == columns_.end())
            throw malformed(fmt::format("it has no samples of type {}",
                                        description_of(quantity::in_use_bytes).pprof_type));
        each(in_profile::mapping, bytes, [&](pbf_reader& in) { read_mapping(in.get_message()); });
        each(in_profile::function, bytes, [&](pbf_reader& in) { read_function(in.get_message()); });
        each(in_profile::location, bytes, [&](pbf_reader& in) { read_location(in.get_message()); });
        each(in_profile::sample, bytes, [&](pbf_reader& in) { read_sample(in.get_message()); });
        each(in_profile::time_nanos, varint, [&](pbf_reader& in) { profile_.taken_ns = in.get_int64(); });
        profile_.began_ns = profile_.taken_ns;
        each(in_profile::duration_nanos, varint,
             [&](pbf_reader& in) { profile_.began_ns = difference(profile_.taken_ns, in.get_int64()); });
        each(in_profile::period, varint, [&](pbf_reader& in) { profile_.rate = in.get_int64(); });
        each(in_profile::comment, varint, [&](pbf_reader& in) { read_comment(string(in.get_int64())); });
        return std::move(profile_);
    }

private:
    template <class Do>
    void each(protozero::pbf_tag_type field, protozero::pbf_wire_type type, Do action) const {
        for (pbf_reader in = message_; in.next();)
            if (in.tag_and_type() == tag_and_type(field, type))
                action(in);
            else
                in.skip();
    }

    const std::string& string(std::int64_t number) const {
        if (static_cast<std::uint64_t>(number) >= strings_.size())
            throw malformed(fmt::format("there is no string {}", number));
        return strings_[static_cast<std::size_t>(number)];
    }

    void read_sample_type(pbf_reader in) {
        std::optional<quantity> column;
        while (in.next()) {
            if (in.tag_and_type() != tag_and_type(in_value_type::type, varint)) {
                in.skip();
                continue;
            }
            const std::string& type = string(in.get_int64());
            const auto known = std::ranges::find(quantities, type, &quantity_description::pprof_type);
            if (known != quantities.end())
                column = static_cast<quantity>(known - quantities.begin());
        }
        columns_.push_back(column);
    }

    void read_mapping(pbf_reader in) {
        mapping read;
        while (in.next())
            switch (in.tag_and_type()) {
            case tag_and_type(in_mapping::memory_start, varint):
                read.start = in.get_uint64();
                break;
            case tag_and_type(in_mapping::memory_limit, varint):
                read.end = in.get_uint64();
                break;
            case tag_and_type(in_mapping::file_offset, varint):
                read.offset = in.get_uint64();
                break;
            case tag_and_type(in_mapping::filename, varint):
                read.path = string(in.get_int64());
                break;
            case tag_and_type(in_mapping::build_id, varint):
                read.build_id = string(in.get_int64());
                break;
            default:
                in.skip();
            }
        if (!is_build_id(read.build_id)) // it may be anything, says the format
            read.build_id.clear();
        profile_.mappings.push_back(std::move(read));
    }

    void read_function(pbf_reader in) {
        std::uint64_t id = 0;
        frame read;
        while (in.next())
            switch (in.tag_and_type()) {
            case tag_and_type(in_function::id, varint):
                id = in.get_uint64();
                break;
            case tag_and_type(in_function::name, varint):
                read.function = string(in.get_int64());
                break;
            case tag_and_type(in_function::system_name, varint):
                read.symbol = string(in.get_int64());
                break;
            case tag_and_type(in_function::filename, varint):
                read.file = string(in.get_int64());
                break;
            default:
                in.skip();
            }
        functions_[id] = std::move(read);
    }

    frame read_line(pbf_reader in) const {
        frame read;
        std::int64_t line = 0;
        while (in.next())
            switch (in.tag_and_type()) {
            case tag_and_type(in_line::function_id, varint):
                read = look_up(functions_, in.get_uint64(), "function");
                break;
            case tag_and_type(in_line::line, varint):
                line = in.get_int64();
                break;
            default:
                in.skip();
            }
        read.line = line;
        return read;
    }

    void read_location(pbf_reader in) {
        std::uint64_t id = 0;
        location read;
        while (in.next())
            switch (in.tag_and_type()) {
            case tag_and_type(in_location::id, varint):
                id = in.get_uint64();
                break;
            case tag_and_type(in_location::address, varint):
                read.return_address = in.get_uint64() + 1;
                break;
            case tag_and_type(in_location::line, bytes):
                read.frames.push_back(read_line(in.get_message()));
                break;
            default:
                in.skip();
            }
        if (!locations_.try_emplace(id, profile_.locations.size()).second)
            throw malformed(fmt::format("there are two locations {}", id));
        profile_.locations.push_back(std::move(read));
    }

    void read_sample(pbf_reader in) {
        site read;
        std::size_t values = 0;
        const auto add_value = [&](std::int64_t value) {
            if (values < columns_.size() && columns_[values])
                read.amount.of[static_cast<std::size_t>(*columns_[values])] = value;
            ++values;
        };
        while (in.next())
            switch (in.tag_and_type()) {
            case tag_and_type(in_sample::location_id, bytes):
                for (const std::uint64_t id : in.get_packed_uint64())
                    read.stack.push_back(look_up(locations_, id, "location"));
                break;
            case tag_and_type(in_sample::location_id, varint):
                read.stack.push_back(look_up(locations_, in.get_uint64(), "location"));
                break;
            case tag_and_type(in_sample::value, bytes):
                for (const std::int64_t value : in.get_packed_int64())
                    add_value(value);
                break;
            case tag_and_type(in_sample::value, varint):
                add_value(in.get_int64());
                break;
            default:
                in.skip();
            }
        if (values != columns_.size())
            throw malformed(fmt::format("a sample has {} values, not {}", values, columns_.size()));
        profile_.sites.push_back(std::move(read));
    }

    void read_comment(std::string_view comment) {
        if (comment.starts_with(program_comment)) {
            profile_.program = comment.substr(program_comment.size());
        } else if (comment.starts_with(pid_comment)) {
            comment.remove_prefix(pid_comment.size());
            std::from_chars(comment.data(), comment.data() + comment.size(), profile_.pid);
        }
    }

    const pbf_reader message_;
    heap_profile profile_;
    std::vector<std::string> strings_;
    std::vector<std::optional<quantity>> columns_; // what the values of a sample are; none: of no interest
    std::unordered_map<std::uint64_t, frame> functions_;
    std::unordered_map<std::uint64_t, std::size_t> locations_; // id → index
};

} // namespace

heap_profile read_pprof(std::string_view message, const std::string& name) {
    try {
        return reader(message).read();
    } catch (const protozero::exception&) {
        throw user_error(fmt::format("{}: this is no profile of pprof's, or it is damaged", name));
    } catch (const malformed& what) {
        throw user_error(fmt::format("{}: damaged: {}", name, what.what()));
    }
}

std::string write_pprof(const heap_profile& profile, quantity shown) {
    return writer(profile, shown).write();
}

} // namespace lowtide::tools
