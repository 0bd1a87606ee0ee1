// A file descriptor that a printer (base/print.h) writes to, and whether all of it could be written.
#pragma once

#include "os/machine.h"

namespace lowtide::os {

struct text_file {
    int fd;
    bool whole = true; // everything so far could be written

    // The printer's sink; the context is the file.
    [[gnu::cold]] static void write(void* file, const char* text, size_t size) noexcept {
        auto& to = *static_cast<text_file*>(file);
        to.whole = to.whole && write_all(to.fd, text, size);
    }
};

} // namespace lowtide::os
