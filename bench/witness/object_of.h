// Which object file a symbol of this process comes from: the proof that an allocator is really loaded.
#pragma once

#include <dlfcn.h>

namespace lowtide::bench {

/// The file that defines `symbol` for this process, or "-" if none does. It is looked up the way a call from
/// the program would be, so an interposed definition that merely sits in memory does not count.
inline const char* object_of(const char* symbol) noexcept {
    Dl_info info{};
    void* const address = dlsym(RTLD_DEFAULT, symbol);
    if (address == nullptr || dladdr(address, &info) == 0 || info.dli_fname == nullptr)
        return "-";
    return info.dli_fname;
}

} // namespace lowtide::bench
