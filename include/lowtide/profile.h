/* The heap profile of the running process: which stacks allocated what is in use, from a sample of the allocations.
 *
 * Off until somebody asks, by the option `sample`, by `lowtide set PID sample:512K`, or here. Each allocation of
 * `size` bytes is then recorded with the probability 1 - exp(-size / rate) (a Poisson process over the bytes, as
 * tcmalloc and Go have it), and the figures of the profile are estimates of all of them. Of heaps, regions and block
 * pools of the program's own only the memory that they get from malloc is there.
 *
 * Link with -llowtide. For C99 and C++11 on. */
#ifndef LOWTIDE_PROFILE_H
#define LOWTIDE_PROFILE_H

#include <lowtide/lowtide.h>

#ifdef __cplusplus
extern "C" {
#endif

/* From now on one allocation every `rate` bytes is recorded on average; 1 records every one, 0 none any more: what has
 * been recorded stays in the profile until it is freed. What was allocated before isn't in it. Thread-safe; not for
 * signal handlers. */
void lowtide_profile_set_rate(size_t rate) LOWTIDE_NOEXCEPT;

/* Writes the profile as of now to a file descriptor, as text: addresses, not names (`lowtide profile FILE` makes
 * anything else of it). 0; or -1 with errno ENODATA when nothing was ever to be recorded, EIO when it could not be
 * written as a whole. Thread-safe: other threads wait for moments only, and go on meanwhile. Doesn't allocate; not for
 * signal handlers. */
int lowtide_profile_write(int fd) LOWTIDE_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif
