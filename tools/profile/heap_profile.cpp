// See heap_profile.h.
#include "profile/heap_profile.h"

#include <algorithm>
#include <fmt/format.h>

namespace lowtide::tools {

namespace {

/// Of two means, by how many each is of.
std::int64_t mean(std::int64_t a, std::int64_t count_a, std::int64_t b, std::int64_t count_b) {
    const double share =
        static_cast<double>(count_a) / (static_cast<double>(count_a) + static_cast<double>(count_b));
    return b + static_cast<std::int64_t>((static_cast<double>(a) - static_cast<double>(b)) * share);
}

} // namespace

std::int64_t amounts::freed_objects() const {
    return std::max<std::int64_t>(
        0, difference((*this)[quantity::allocated_objects], (*this)[quantity::in_use_objects]));
}

amounts& amounts::operator+=(const amounts& other) {
    if (lifetime_ns == 0 || freed_objects() == 0)
        lifetime_ns = other.lifetime_ns;
    else if (other.lifetime_ns != 0 && other.freed_objects() != 0)
        lifetime_ns = mean(lifetime_ns, freed_objects(), other.lifetime_ns, other.freed_objects());
    for (std::size_t i = 0; i < quantity_count; ++i)
        of[i] = sum(of[i], other.of[i]);
    samples = sum(samples, other.samples);
    return *this;
}

amounts operator-(const amounts& after, const amounts& before) {
    amounts result;
    for (std::size_t i = 0; i < quantity_count; ++i)
        result.of[i] = difference(after.of[i], before.of[i]);
    return result;
}

bool is_build_id(std::string_view text) {
    return text.size() % 2 == 0 && text.find_first_not_of("0123456789abcdef") == text.npos;
}

std::string mapping::module_name() const {
    return path.substr(path.rfind('/') + 1); // all of it where there is no slash
}

amounts heap_profile::total() const {
    amounts result;
    for (const site& each : sites)
        result += each.amount;
    return result;
}

const mapping* heap_profile::mapping_of(const location& at) const {
    const std::uint64_t address = at.call_address();
    const auto found = std::ranges::find_if(
        mappings, [address](const mapping& m) { return m.start <= address && address < m.end; });
    return found == mappings.end() ? nullptr : &*found;
}

std::string heap_profile::address_name(const location& at) const {
    if (const mapping* in = mapping_of(at))
        return fmt::format("{}+{:#x}", in->module_name(), at.call_address() - in->start + in->offset);
    return "[unknown]"; // code made while the program runs, say: no other run has it at this address
}

} // namespace lowtide::tools
