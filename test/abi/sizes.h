/* The sizes the tests ask for: one of every range the allocator tells apart, and those it must refuse. */
#ifndef LOWTIDE_TEST_ABI_SIZES_H
#define LOWTIDE_TEST_ABI_SIZES_H

#include <stddef.h>
#include <stdint.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))
#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)

/* Size classes and their edges, runs of slices, whole blocks, and mappings of their own. */
static const size_t sizes_of_every_range[] = {
    1,        8,         15,       16,          17,           31,        100,
    128,      129,       144,      500,         1 * KIB,      1025,      2000,
    4095,     4096,      4097,     5000,        10000,        16 * KIB,  33000,
    64 * KIB, 65537,     100000,   128 * KIB,   200000,       256 * KIB, 256 * KIB + 1,
    300000,   512 * KIB, 1 * MIB,  1 * MIB + 1, 1500000,      2 * MIB,   2 * MIB + 1,
    3 * MIB,  5000000,   16 * MIB, 33 * MIB,    64 * MIB - 1, 64 * MIB,  65 * MIB + 12345};

/* Beyond any address space, beyond PTRDIFF_MAX, and so near to SIZE_MAX that rounding up wraps around. */
/* clang-format off */
static const size_t impossible_sizes[] = {
    (size_t)1 << 48, (size_t)1 << 56, (size_t)PTRDIFF_MAX - 65536, (size_t)PTRDIFF_MAX - 4096,
    (size_t)PTRDIFF_MAX - 15, (size_t)PTRDIFF_MAX, (size_t)PTRDIFF_MAX + 1, (size_t)PTRDIFF_MAX + 2,
    (size_t)PTRDIFF_MAX + 4097, SIZE_MAX / 4 * 3, SIZE_MAX - 1 * GIB, SIZE_MAX - 2 * MIB, SIZE_MAX - 65536,
    SIZE_MAX - 65535, SIZE_MAX - 8192, SIZE_MAX - 8191, SIZE_MAX - 4096, SIZE_MAX - 4095, SIZE_MAX - 4094,
    SIZE_MAX - 64, SIZE_MAX - 63, SIZE_MAX - 17, SIZE_MAX - 16, SIZE_MAX - 15, SIZE_MAX - 14, SIZE_MAX - 8,
    SIZE_MAX - 1, SIZE_MAX};
/* clang-format on */

#endif
