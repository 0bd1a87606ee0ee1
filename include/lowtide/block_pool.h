/* Block pools: blocks of one size, from 4 KiB to 64 MiB, that go round and round: request buffers, pages of a cache. A
 * pool keeps what it needs, gives back what it doesn't, and never mixes its blocks with other memory, so that each can
 * go back, whatever its neighbours do.
 *
 *     struct lowtide_block_pool_options options = {.size = sizeof(options), .name = "bodies", .block_size = 2 << 20};
 *     lowtide_block_pool* bodies = lowtide_block_pool_create(&options);
 *     void* body = lowtide_block_pool_take(bodies, "upload");
 *     ...
 *     lowtide_block_pool_give(bodies, body);
 *
 * Free blocks wait in a cache of the processor, from which they are taken and to which they are given back without a
 * lock, and behind it in one list for all. All functions are thread-safe, but for destroy; none may be called in a signal
 * handler. In a child of fork a pool is as it was; what its other threads had taken is lost to it.
 *
 * A pool that isn't one, or was destroyed, and a block that isn't the pool's, or was given back before, end the program
 * with a line that says so. Functions that succeed leave errno alone. Link with -llowtide; lowtide/block_pool.hpp has
 * classes for C++. */
#ifndef LOWTIDE_BLOCK_POOL_H
#define LOWTIDE_BLOCK_POOL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lowtide_block_pool lowtide_block_pool;

/* What a pool is to be like. All but size and block_size may be 0. */
struct lowtide_block_pool_options {
    size_t size;           /* sizeof(struct lowtide_block_pool_options): later versions append fields, which have to be 0 here */
    const char* name;      /* for reports and messages; copied, cut off after 31 bytes; null: "" */
    size_t block_size;     /* bytes, 4 KiB to 64 MiB; rounded up to whole pages */
    size_t max_blocks;     /* how many there may be, taken and free ones together; 0: any number */
    size_t low_watermark;  /* so many free blocks are kept for ever */
    size_t high_watermark; /* of more free blocks than this, the excess goes back at once; 0: no such bound */
    unsigned return_ms;    /* after this time without use free blocks above the low watermark go back; 0: 1000 */
    unsigned prepopulate;  /* so many free blocks are made and touched at once */
    unsigned small_pages;  /* not 0: no huge pages. Else blocks of whole multiples of 2 MiB may be made of them */
    unsigned numa_node;    /* the node that memory should come from, plus 1; 0: as the system does it. A hint */
};

/* Null with EINVAL for options that can't be (a low watermark above the high one or above max_blocks, more to prepopulate
 * than there may be), or ENOMEM. Pools give back in time where the process has Lowtide's
 * background thread (option `background`), else when one of their functions finds its cache empty or full, or
 * lowtide_block_pool_trim is called. */
lowtide_block_pool* lowtide_block_pool_create(const struct lowtide_block_pool_options* options);

/* Gives all memory back. 0; or -1 with EBUSY when blocks are taken: then nothing has happened, but a report on standard
 * error of whose they are. No other thread may be in a function of this pool, or call one later:
 * the program ends with a line that says so, as long as no more than 16 pools have been destroyed since. Null is nothing. */
int lowtide_block_pool_destroy(lowtide_block_pool* pool);

/* A block, aligned to its size where that is a power of two up to 2 MiB, to 2 MiB where it is a multiple of that, and
 * else to a page; with anything in it. `owner` is a text that stays where it is, or null: reports name the blocks by it.
 *
 * take: null with ENOMEM when the system has no memory (or its hard limit forbids it), with EDQUOT when all that there may
 * be are taken. try_take: null with EAGAIN too when no free block is at hand in the pool; it never asks the system, nor
 * waits. take_within: waits, at most so many milliseconds, for a block to be given back when all that there may be are
 * taken; null with ETIMEDOUT then. A negative time is for ever. */
void* lowtide_block_pool_take(lowtide_block_pool* pool, const char* owner);
void* lowtide_block_pool_try_take(lowtide_block_pool* pool, const char* owner);
void* lowtide_block_pool_take_within(lowtide_block_pool* pool, const char* owner, int milliseconds);

/* Gives back a block of this pool. Null is nothing. */
void lowtide_block_pool_give(lowtide_block_pool* pool, void* block);

/* Gives all free blocks but the low watermark back to the system, those in caches included. The bytes. */
size_t lowtide_block_pool_trim(lowtide_block_pool* pool);

/* At this moment; exact when no other thread is in the pool. */
struct lowtide_block_pool_statistics {
    size_t size;       /* set to sizeof(struct lowtide_block_pool_statistics) by the caller: later versions append fields */
    size_t block_size; /* bytes, as rounded */
    size_t taken;      /* blocks that the program has */
    size_t cached;     /* free, in the processors' caches */
    size_t ready;      /* free, behind them, and perhaps in memory */
    size_t returned;   /* blocks given back to the system so far */
    size_t refused;    /* takes that found all that there may be taken, or no memory */
    size_t waits;      /* takes that waited */
};

/* Fills as many fields as out->size covers and stores the bytes filled there. 0, or -1 with EINVAL when the size doesn't
 * cover the field `size` itself. */
int lowtide_block_pool_stats(lowtide_block_pool* pool, struct lowtide_block_pool_statistics* out);

/* Writes to a file descriptor what the pool has, and its taken blocks by owner, the most first. 0, or -1 with EIO. */
int lowtide_block_pool_print(lowtide_block_pool* pool, int fd);

#ifdef __cplusplus
}
#endif

#endif
