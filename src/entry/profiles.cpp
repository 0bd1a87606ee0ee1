// The C surface of heap profiles: lowtide/profile.h.
#include "base/print.h"
#include "entry/heap.h"
#include "lowtide/profile.h"
#include "os/text_file.h"

#include <cerrno>

using namespace lowtide;

#pragma GCC visibility push(default)

extern "C" {

void lowtide_profile_set_rate(size_t rate) noexcept {
    the_heap.set_sampling(rate);
}

int lowtide_profile_write(int fd) noexcept {
    os::text_file file{fd};
    char buffer[1024];
    printer out(buffer, os::text_file::write, &file);
    const bool there = the_heap.print_profile(out);
    out.flush();
    if (there && file.whole)
        return 0;
    errno = there ? EIO : ENODATA;
    return -1;
}
}

#pragma GCC visibility pop
