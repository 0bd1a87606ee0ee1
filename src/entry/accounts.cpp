// The C surface of the account: lowtide/account.h.
#include "base/print.h"
#include "entry/heap.h"
#include "lowtide/account.h"
#include "os/text_file.h"

#include <cerrno>

using namespace lowtide;

#pragma GCC visibility push(default)

extern "C" {

int lowtide_account_print(int fd, int format) noexcept {
    if (format != LOWTIDE_ACCOUNT_JSON && format != LOWTIDE_ACCOUNT_OPENMETRICS) {
        errno = EINVAL;
        return -1;
    }
    account_result result = account_result::ok;
    const bool whole = os::print_to(fd, [&](printer& out) {
        result = the_heap.print_account(out, format == LOWTIDE_ACCOUNT_JSON ? account_format::json
                                                                            : account_format::openmetrics);
    });
    if (result == account_result::ok && whole)
        return 0;
    errno = result == account_result::no_memory ? ENOMEM : result == account_result::unknown ? ENOTSUP : EIO;
    return -1;
}
}

#pragma GCC visibility pop
