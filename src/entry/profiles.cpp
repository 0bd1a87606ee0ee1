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
    bool there = false;
    const bool whole = os::print_to(fd, [&there](printer& out) { there = the_heap.print_profile(out); });
    if (there && whole)
        return 0;
    errno = there ? EIO : ENODATA;
    return -1;
}
}

#pragma GCC visibility pop
