/* Regions: memory that is freed all at once. A server gives each connection a region, and each request a child of it;
 * what a request allocates costs a nanosecond each, and no free.
 *
 *     lowtide_region* request = lowtide_region_create(connection, NULL);
 *     char* line = lowtide_region_strdup(request, text);
 *     ...
 *     lowtide_region_destroy(request);
 *
 * or, in C++, `lowtide::region request(connection);`, which destroys itself (lowtide/region.hpp).
 *
 * Memory is taken in chunks, the first of 4 KiB, each twice as large as the one before up to 256 KiB, and handed out
 * from their beginning to their end. What is larger than a quarter of the largest chunk has a block of its own, which
 * can be freed alone.
 *
 * A region, and with it the tree that it is part of, is used by one thread at a time; different trees need no care.
 * None of this may be called in a signal handler. The errno of a function that fails is ENOMEM where there is no memory,
 * EDQUOT where a limit forbids it and EINVAL where an argument is wrong; one that succeeds leaves it alone. A region that
 * isn't one, or was destroyed, ends the program with a line that says so, where that is noticed: in every function but
 * those that find room in the current chunk.
 *
 * Link with -llowtide. The shapes are those of talloc, Apache's apr_pools and nginx's ngx_palloc. */
#ifndef LOWTIDE_REGION_H
#define LOWTIDE_REGION_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lowtide_region lowtide_region;

enum {
    LOWTIDE_REGION_NAME_BYTES = 32,
    LOWTIDE_REGION_MAX_ALIGNMENT = 1 << 20
};

/* What a region is to be like. Fields that are 0 have the values named. */
struct lowtide_region_options {
    size_t size;          /* sizeof(struct lowtide_region_options): later versions append fields, which have to be 0 here */
    const char* name;     /* for reports and messages; copied, cut off after 31 bytes; null: "" */
    size_t first_chunk;   /* bytes, 512 to largest_chunk; 0: 4 KiB. What the region itself needs, 288 bytes, is in it */
    size_t largest_chunk; /* bytes, up to 64 MiB; 0: 256 KiB */
    size_t limit;         /* bytes that the region and its descendants may hold in chunks and blocks; 0: none */
    unsigned warm_chunks; /* how many chunks reset() keeps beside the first */
    int guarded;          /* not 0: what was freed is not accessible any more, see below */
};

/* In a guarded region chunks and blocks have pages of their own. When they are freed their addresses stay taken and
 * inaccessible, 1 GiB of them in all regions together (what is larger goes at once), so that use after reset ends the
 * program at that very access (SIGSEGV). It costs some microseconds for each chunk. The option check:true
 * (LOWTIDE_CONF) makes every region a guarded one. */

/* A new region, without a parent where `parent` is null; it is destroyed when the parent is reset or destroyed, if not
 * before. Null where there is no memory, the parent's limit forbids it (EDQUOT, as where its own limit is less than its
 * first chunk), or an option is wrong. */
lowtide_region* lowtide_region_create(lowtide_region* parent, const struct lowtide_region_options* options);

/* Frees all of it: what was made last first, cleanup handlers run and children are destroyed in the reverse order of
 * their making, each once; then chunks and blocks are freed. It takes as long as there are chunks, blocks, handlers and
 * children, however many objects there were. Null is nothing.
 *
 * A handler may do with the tree what it likes, this included: destroying (or resetting) what is being destroyed does
 * nothing. Of an ancestor that it destroys (or resets) what is newer than the region that is being destroyed goes at once,
 * within that call, and the rest as soon as that region is gone. It must not throw (C++: see
 * lowtide/region.hpp). */
void lowtide_region_destroy(lowtide_region* region);

/* The same, but the region itself stays: as it was made, and with its parent, name and limits. */
void lowtide_region_reset(lowtide_region* region);

/* The beginning of every region: the rest of the current chunk, or what of it may be used for one object. Not to be
 * touched. */
struct lowtide_region_window {
    char* next; /* 16-aligned, as `end` is */
    char* end;
};

/* What lowtide_region_alloc falls into; the same, with any alignment. */
void* lowtide_region_alloc_slow(lowtide_region* region, size_t alignment, size_t size);

/* `size` bytes, aligned to 16, not initialised; they live until the region is reset or destroyed. For 0 bytes: an
 * address that isn't null, at which there is nothing. Null when it can't be had; the region is as it was, but for
 * what reset() has kept. */
static inline void* lowtide_region_alloc(lowtide_region* region, size_t size) {
    struct lowtide_region_window* window = (struct lowtide_region_window*)region;
    char* object = window->next;
    if (__builtin_expect(size > (size_t)(window->end - object), 0))
        return lowtide_region_alloc_slow(region, 16, size);
    window->next = object + ((size + 15) & ~(size_t)15); /* what is left is a multiple of 16, so this stays within */
    return object;
}

/* The same, aligned to `alignment`, a power of two up to 1 MiB; EINVAL for another. */
static inline void* lowtide_region_alloc_aligned(lowtide_region* region, size_t alignment, size_t size) {
    return alignment <= 16 && (alignment & (alignment - 1)) == 0 && alignment != 0
               ? lowtide_region_alloc(region, size)
               : lowtide_region_alloc_slow(region, alignment, size);
}

/* Zeroed memory for `count` objects of `size` bytes; null with ENOMEM where the product is too large. */
void* lowtide_region_calloc(lowtide_region* region, size_t count, size_t size);

/* Frees a block of its own: an object of the region that was larger than a quarter of its largest chunk, together with
 * its alignment where that is more than 16. 1 then, and 0, with nothing done, for any other object of this region: that
 * is freed with the region. Null is nothing, and 0. Another region's block ends the program with a line
 * that says so, and so does what is no region's in a guarded one. One that was freed before is not to be given. */
int lowtide_region_free(lowtide_region* region, void* object);

/* Copies into the region: of `size` bytes; of a string; of a string's first `most` bytes, with a NUL behind them. Null
 * when there is no memory. */
void* lowtide_region_memdup(lowtide_region* region, const void* from, size_t size);
char* lowtide_region_strdup(lowtide_region* region, const char* text);
char* lowtide_region_strndup(lowtide_region* region, const char* text, size_t most);

/* printf(3) into the region: a string. Null when there is no memory, or where printf would fail, with its errno. */
char* lowtide_region_printf(lowtide_region* region, const char* format, ...) __attribute__((format(printf, 2, 3)));
char* lowtide_region_vprintf(lowtide_region* region, const char* format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

/* Has run(data) called when the region is reset or destroyed, before what was added earlier. 0, or -1 when there is no
 * memory (32 bytes of the region), a limit forbids it, or `run` is null (EINVAL). */
int lowtide_region_add_cleanup(lowtide_region* region, void (*run)(void* data), void* data);

/* Takes back the last one that was added with this function and these data; it doesn't run. 1, or 0 if there is none. */
int lowtide_region_remove_cleanup(lowtide_region* region, void (*run)(void* data), void* data);

/* From now on *handle, which holds the region's address, becomes null when the region is destroyed, by whomever. One for
 * each region; null for none. */
void lowtide_region_set_handle(lowtide_region* region, lowtide_region** handle);

/* The parent, or null. */
lowtide_region* lowtide_region_parent(const lowtide_region* region);

/* The name it was made with: "" for none. Lives as long as the region. */
const char* lowtide_region_name(const lowtide_region* region);

/* Bytes and numbers at this moment. */
struct lowtide_region_statistics {
    size_t size;      /* set to sizeof(struct lowtide_region_statistics) by the caller: later versions append fields */
    size_t held;      /* bytes in the region's chunks and blocks */
    size_t free;      /* of them, what is left of the current chunk and in warm chunks */
    size_t chunks;    /* warm ones included */
    size_t blocks;    /* objects with a block of their own */
    size_t children;
    size_t cleanups;
    size_t tree_held; /* held by the region and all its descendants */
    size_t limit;     /* 0: none */
    size_t refused;   /* requests that this region's limit has refused since it was made */
};

/* Fills as many fields as out->size covers and stores the bytes filled there. 0, or -1 with EINVAL when the size doesn't
 * cover the field `size` itself. It takes as long as there are descendants. */
int lowtide_region_stats(const lowtide_region* region, struct lowtide_region_statistics* out);

/* Writes the tree to a file descriptor, a line for each region, children indented. 0, or -1 with EIO. */
int lowtide_region_print(const lowtide_region* region, int fd);

#ifdef __cplusplus
}
#endif

#endif
