// Structures of the C surface that grow: their first field, `size`, says how much of them the other side
// knows.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace lowtide {

// No structure of any version is larger.
inline constexpr size_t most_versioned = 4096;

// What was given, in this version's form: fields that it doesn't have are 0. False where there is no such
// version, and where a field that this version doesn't know is not 0 (as the kernel has it: openat2(2)).
template <typename T>
[[nodiscard]] bool take_known_fields(T& to, const T& given) noexcept {
    const size_t size = given.size;
    if (size < sizeof(size) || size > most_versioned)
        return false;
    const auto* bytes = reinterpret_cast<const unsigned char*>(&given);
    for (size_t i = sizeof(T); i < size; ++i)
        if (bytes[i] != 0)
            return false;
    to = {};
    memcpy(&to, &given, size < sizeof(T) ? size : sizeof(T));
    return true;
}

// Gives the caller as many fields of `now` as out->size covers, and stores there how many bytes that are. 0;
// or -1 with EINVAL where `out` is null, or has no room for the field `size` itself.
template <typename T>
int give_known_fields(T now, T* out) noexcept {
    if (out == nullptr || out->size < sizeof(out->size)) {
        errno = EINVAL;
        return -1;
    }
    now.size = out->size < sizeof(T) ? out->size : sizeof(T);
    memcpy(out, &now, now.size);
    return 0;
}

} // namespace lowtide
