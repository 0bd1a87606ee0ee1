/* Heaps of one's own: a family of malloc and free whose memory is apart from all other, and can be freed all at once.
 * For a plugin, a tenant, a parser: what it forgot to free goes with the heap, and its statistics are its own.
 *
 *     lowtide_heap* plugin = lowtide_heap_create("plugin");
 *     char* p = lowtide_heap_malloc(plugin, 100);
 *     ...
 *     lowtide_heap_destroy(plugin);
 *
 * No page has memory of two heaps, nor of a heap and of malloc. All functions are thread-safe, but for destroy, and none
 * may be called in a signal handler. There are no caches of the processors in front of a heap: each call takes a lock of
 * the size class, 20 ns or so. free, realloc and malloc_usable_size of the process know the objects of heaps too.
 *
 * A heap that isn't one, or was destroyed, and a pointer that isn't the heap's, end the program with a line that says so.
 * The errno of a function that fails is ENOMEM, or EINVAL where an argument is wrong; one that succeeds leaves it alone.
 * Link with -llowtide; lowtide/heap.hpp has a class for C++. */
#ifndef LOWTIDE_HEAP_H
#define LOWTIDE_HEAP_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lowtide_heap lowtide_heap;

/* `name` is copied and cut off after 31 bytes; null: "". Null when there is no memory. */
lowtide_heap* lowtide_heap_create(const char* name);

/* Frees all that was got from the heap, and the heap. No other thread may use it, nor any object of it afterwards: who
 * calls a function of it then, or is in one, ends the program with a line that says so, as long as no more than 8 heaps
 * have been destroyed since. It takes as long as it has slabs and large objects. Null is nothing. */
void lowtide_heap_destroy(lowtide_heap* heap);

/* As malloc(3) and its relatives have it: aligned to 16, not initialised but for calloc; 0 bytes are an object too. */
void* lowtide_heap_malloc(lowtide_heap* heap, size_t size);
void* lowtide_heap_calloc(lowtide_heap* heap, size_t count, size_t size);
/* `alignment` is a power of two. */
void* lowtide_heap_aligned_alloc(lowtide_heap* heap, size_t alignment, size_t size);
/* `object` is this heap's, or null; it moves within the heap. `size` 0 frees it, and the answer is null. */
void* lowtide_heap_realloc(lowtide_heap* heap, void* object, size_t size);
/* `object` is this heap's, or null. */
void lowtide_heap_free(lowtide_heap* heap, void* object);
/* Bytes that the object may be used for; 0 for null. */
size_t lowtide_heap_usable_size(lowtide_heap* heap, const void* object);

/* The heap that an object was got from; null where it is malloc's, or nobody's. */
lowtide_heap* lowtide_heap_of(const void* object);

const char* lowtide_heap_name(const lowtide_heap* heap);

/* Calls visit(object, usable bytes, data) for every object that is in use, in no order, until it answers other than 0;
 * that is the answer, else 0. `visit` may free the object that it is told of, and nothing else, and must not allocate from
 * this heap. What other threads do meanwhile may be seen or not. */
int lowtide_heap_walk(lowtide_heap* heap, int (*visit)(void* object, size_t size, void* data), void* data);

/* At this moment; exact when no other thread is in the heap. */
struct lowtide_heap_statistics {
    size_t size;    /* set to sizeof(struct lowtide_heap_statistics) by the caller: later versions append fields */
    size_t objects; /* in use */
    size_t live;    /* their usable bytes */
    size_t held;    /* bytes of address space that the heap has taken for them */
};

/* Fills as many fields as out->size covers and stores the bytes filled there. 0, or -1 with EINVAL when the size doesn't
 * cover the field `size` itself. */
int lowtide_heap_stats(lowtide_heap* heap, struct lowtide_heap_statistics* out);

#ifdef __cplusplus
}
#endif

#endif
