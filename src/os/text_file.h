// A file descriptor that a printer (base/print.h) writes to, and whether all of it could be written.
#pragma once

#include "base/print.h"
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

// Calls print(printer&). False when what that prints couldn't be written as a whole.
template <typename Print>
[[gnu::cold]] bool print_to(int fd, Print print) noexcept {
    text_file file{fd};
    char buffer[1024];
    printer out(buffer, text_file::write, &file);
    print(out);
    out.flush();
    return file.whole;
}

} // namespace lowtide::os
