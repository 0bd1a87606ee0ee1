// Structures of the C surface that grow: their first field, `size`, says how much of them the other side
// knows.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace lowtide {

// Is `s` of this version or of an earlier one, whose fields are the first of this one's?
template <typename T>
constexpr bool is_known_version(const T& s) {
    return s.size >= sizeof(s.size) && s.size <= sizeof(T);
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
