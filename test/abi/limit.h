/* A limit on address space, so that the kernel refuses what is not impossible: it makes requests fail, and
   lets them succeed later, without touching much memory. */
#ifndef LOWTIDE_TEST_ABI_LIMIT_H
#define LOWTIDE_TEST_ABI_LIMIT_H

#include "check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static inline size_t address_space_in_use(void) {
    char text[64] = {0};
    const int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    REQUIRE(file >= 0);
    REQUIRE(read(file, text, sizeof text - 1) > 0);
    close(file);
    return strtoul(text, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

/* From now on the process may map `room` bytes more. */
static inline void limit_address_space(size_t room) {
    struct rlimit limit;
    REQUIRE(getrlimit(RLIMIT_AS, &limit) == 0);
    limit.rlim_cur = address_space_in_use() + room;
    REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
    void* const probe = mmap(NULL, room + ((size_t)1 << 20), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (probe != MAP_FAILED)
        abi_skip("no limit on address space here (an emulator)");
}

static inline void lift_the_limit(void) {
    struct rlimit limit;
    REQUIRE(getrlimit(RLIMIT_AS, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
}

#endif
