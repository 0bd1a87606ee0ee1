/* Memory as the tests look at it: patterns written and found again, pages that are resident or not. */
#ifndef LOWTIDE_TEST_ABI_MEMORY_H
#define LOWTIDE_TEST_ABI_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static inline uint64_t pattern_word(uint64_t seed, size_t index) {
    return (seed + index + 1) * 0x9e3779b97f4a7c15u;
}

static inline unsigned char pattern_byte(uint64_t seed, size_t offset) {
    return (unsigned char)(pattern_word(seed, offset / 8) >> (offset % 8 * 8));
}

/* Fills size bytes; what fill() wrote, holds() finds. The block may start anywhere. */
static inline void fill(void* block, size_t size, uint64_t seed) {
    unsigned char* const bytes = (unsigned char*)block;
    for (size_t i = 0; i < size / 8; ++i) {
        const uint64_t word = pattern_word(seed, i);
        memcpy(bytes + 8 * i, &word, 8);
    }
    for (size_t i = size / 8 * 8; i < size; ++i)
        bytes[i] = pattern_byte(seed, i);
}

static inline int holds(const void* block, size_t size, uint64_t seed) {
    const unsigned char* const bytes = (const unsigned char*)block;
    for (size_t i = 0; i < size / 8; ++i) {
        uint64_t word;
        memcpy(&word, bytes + 8 * i, 8);
        if (word != pattern_word(seed, i))
            return 0;
    }
    for (size_t i = size / 8 * 8; i < size; ++i)
        if (bytes[i] != pattern_byte(seed, i))
            return 0;
    return 1;
}

static inline int all_zero(const void* block, size_t size) {
    const unsigned char* const bytes = (const unsigned char*)block;
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

/* Writes the first and the last byte: what can be checked of a block without making all of it resident. */
static inline void touch_ends(void* block, size_t size) {
    if (size) {
        *(volatile unsigned char*)block = 1;
        ((volatile unsigned char*)block)[size - 1] = 2;
    }
}

static inline size_t page_size(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* How many of the pages that lie wholly within [first, last) are resident; an unmapped page is not. */
static inline size_t resident_pages(uintptr_t first, uintptr_t last) {
    const size_t page = page_size();
    size_t resident = 0;
    for (uintptr_t at = (first + page - 1) / page * page; at + page <= last; at += page) {
        unsigned char state = 0;
        if (mincore((void*)at, page, &state) == 0 && (state & 1))
            ++resident;
    }
    return resident;
}

#endif
