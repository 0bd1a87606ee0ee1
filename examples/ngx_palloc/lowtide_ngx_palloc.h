/* Code written for nginx's pools, on Lowtide's regions: include this in place of ngx_palloc.h and link with -llowtide.
 *
 * A pool is two regions: one with the pool itself and its cleanups, and inside it one with its objects, which
 * ngx_reset_pool empties. As in nginx a reset runs no cleanup: they wait for ngx_destroy_pool, which runs them, the
 * newest first, while all objects are still there.
 *
 * Different are:
 * - Cleanups and their data are safe from what is allocated after a reset; in nginx they lie among the objects.
 * - ngx_pfree frees objects of more than a quarter of 16 KiB, or of `size` if that is more; in nginx those of more than
 *   one page, or of what a block has room for. NGX_DECLINED means the same: it goes with the pool.
 * - Blocks grow: the first has `size` bytes, later ones up to 16 KiB, or `size`.
 * - ngx_pnalloc aligns too, and everything to 16 bytes.
 * - `size` may be anything; below 512 it is taken as 512.
 * - The fields d, current, chain and large aren't there. `log` is kept and not written to. */
#ifndef LOWTIDE_NGX_PALLOC_H
#define LOWTIDE_NGX_PALLOC_H

#include "lowtide/region.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef intptr_t ngx_int_t;
typedef uintptr_t ngx_uint_t;
typedef struct ngx_log_s ngx_log_t;
typedef struct ngx_pool_s ngx_pool_t;

#define NGX_OK 0
#define NGX_ERROR -1
#define NGX_DECLINED -5
#define NGX_DEFAULT_POOL_SIZE ((size_t)16 * 1024)
#define NGX_POOL_ALIGNMENT 16
#define NGX_MIN_POOL_SIZE 512

typedef void (*ngx_pool_cleanup_pt)(void* data);

/* What ngx_pool_cleanup_add gives: the caller sets the handler, and data where it asked for none. */
typedef struct ngx_pool_cleanup_s ngx_pool_cleanup_t;
struct ngx_pool_cleanup_s {
    ngx_pool_cleanup_pt handler;
    void* data;
    ngx_pool_cleanup_t* next;
};

/* Lies in `home`. */
struct ngx_pool_s {
    size_t max; /* of what is larger, ngx_pfree frees each object */
    ngx_pool_cleanup_t* cleanup;
    ngx_log_t* log;
    lowtide_region* home;
    lowtide_region* objects;
};

static inline ngx_pool_t* ngx_create_pool(size_t size, ngx_log_t* log) {
    struct lowtide_region_options options;
    lowtide_region* home;
    ngx_pool_t* pool;
    memset(&options, 0, sizeof(options));
    options.size = sizeof(options);
    options.first_chunk = 512;
    home = lowtide_region_create(NULL, &options);
    if (home == NULL)
        return NULL;
    options.first_chunk = size < NGX_MIN_POOL_SIZE ? NGX_MIN_POOL_SIZE : size;
    options.largest_chunk = size < NGX_DEFAULT_POOL_SIZE ? NGX_DEFAULT_POOL_SIZE : size;
    pool = (ngx_pool_t*)lowtide_region_calloc(home, 1, sizeof(*pool));
    if (pool != NULL)
        pool->objects = lowtide_region_create(home, &options);
    if (pool == NULL || pool->objects == NULL) {
        lowtide_region_destroy(home);
        return NULL;
    }
    pool->home = home;
    pool->max = options.largest_chunk / 4;
    pool->log = log;
    return pool;
}

static inline void ngx_destroy_pool(ngx_pool_t* pool) {
    ngx_pool_cleanup_t* cleanup;
    for (cleanup = pool->cleanup; cleanup != NULL; cleanup = cleanup->next)
        if (cleanup->handler != NULL)
            cleanup->handler(cleanup->data);
    lowtide_region_destroy(pool->home);
}

static inline void ngx_reset_pool(ngx_pool_t* pool) {
    lowtide_region_reset(pool->objects);
}

static inline void* ngx_palloc(ngx_pool_t* pool, size_t size) {
    return lowtide_region_alloc(pool->objects, size);
}

static inline void* ngx_pnalloc(ngx_pool_t* pool, size_t size) {
    return lowtide_region_alloc(pool->objects, size);
}

static inline void* ngx_pcalloc(ngx_pool_t* pool, size_t size) {
    return lowtide_region_calloc(pool->objects, 1, size);
}

static inline void* ngx_pmemalign(ngx_pool_t* pool, size_t size, size_t alignment) {
    return lowtide_region_alloc_aligned(pool->objects, alignment, size);
}

static inline ngx_int_t ngx_pfree(ngx_pool_t* pool, void* object) {
    return lowtide_region_free(pool->objects, object) ? NGX_OK : NGX_DECLINED;
}

/* With room for data of `size` bytes, if that isn't 0; null when there is no memory. */
static inline ngx_pool_cleanup_t* ngx_pool_cleanup_add(ngx_pool_t* pool, size_t size) {
    ngx_pool_cleanup_t* cleanup = (ngx_pool_cleanup_t*)lowtide_region_calloc(pool->home, 1, sizeof(*cleanup));
    if (cleanup == NULL)
        return NULL;
    if (size != 0) {
        cleanup->data = lowtide_region_alloc(pool->home, size);
        if (cleanup->data == NULL)
            return NULL;
    }
    cleanup->next = pool->cleanup;
    pool->cleanup = cleanup;
    return cleanup;
}

#ifdef __cplusplus
}
#endif

#endif
