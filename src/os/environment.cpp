#include "os/environment.h"

#include "base/units.h"
#include "os/machine.h"
#include "os/vm.h"

#include <sys/auxv.h>
#include <unistd.h>

namespace lowtide::os {

namespace {

// The value if `entry` is "name=value", else a null view. Not with starts_with, which can throw in a debug
// build, and so needs libstdc++.
std::string_view value_in(std::string_view entry, std::string_view name) {
    const bool named = entry.size() > name.size() && entry[name.size()] == '=' &&
                       __builtin_memcmp(entry.data(), name.data(), name.size()) == 0;
    if (!named)
        return {};
    entry.remove_prefix(name.size() + 1);
    return entry;
}

} // namespace

bool is_secure() noexcept {
    return getauxval(AT_SECURE) != 0;
}

void with_variable(std::string_view name, void (*use)(void*, std::string_view) noexcept,
                   void* context) noexcept {
    if (is_secure())
        return;
    if (environ != nullptr) {
        for (char** entry = environ; *entry != nullptr; ++entry) {
            const std::string_view value = value_in(*entry, name);
            if (value.data() != nullptr)
                return use(context, value);
        }
        return;
    }
    constexpr size_t most = 256 * kibibyte;
    const uintptr_t buffer = map(most, page_size());
    if (buffer == 0)
        return;
    auto* text = reinterpret_cast<char*>(buffer);
    const long length = read_file("/proc/self/environ", text, most - 1); // the rest stays 0: every entry ends
    for (const char* entry = text; length > 0 && entry < text + length;
         entry += std::string_view(entry).size() + 1) {
        const std::string_view value = value_in(entry, name);
        if (value.data() != nullptr) {
            use(context, value);
            break;
        }
    }
    release(buffer, most);
}

} // namespace lowtide::os
