/* What the process has in memory, and what for: a sum that adds up to its resident set.
 *
 * The manual page lowtide-stat(1) describes the formats; `lowtide stat PID` asks another process for the same.
 *
 * Link with -llowtide. For C99 and C++11 on. */
#ifndef LOWTIDE_ACCOUNT_H
#define LOWTIDE_ACCOUNT_H

#include <lowtide/lowtide.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    LOWTIDE_ACCOUNT_JSON = 0,
    LOWTIDE_ACCOUNT_OPENMETRICS = 1 /* version 1.0 of the text format */
};

/* Writes the account as of now to a file descriptor. 0; or -1 with errno EINVAL for another format, ENOMEM, ENOTSUP
 * where the system doesn't say which pages are in memory, EIO when it could not be written as a whole. Other threads go
 * on meanwhile, and wait for microseconds at most: what they do then is in it in part. It takes some 20 to 50 ms for
 * each GiB. Thread-safe; doesn't call malloc; not for signal handlers. */
int lowtide_account_print(int fd, int format) LOWTIDE_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif
