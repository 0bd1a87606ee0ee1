/* Programs written for the pools of the Apache Portable Runtime, on Lowtide's regions: include this in place of
 * apr_general.h, apr_pools.h and apr_strings.h, and link with -llowtide in place of -lapr-1.
 *
 * A pool is a region under its parent's. What happens when it is cleared or destroyed, and in which order, is as there:
 * first all children are destroyed, the newest first, then the pool's own cleanups run, the newest first. (Regions by
 * themselves take children and cleanups in the one order of their making. So the pools keep both themselves.)
 *
 * Different are:
 * - Objects are aligned to 16 bytes, there to 8.
 * - apr_psprintf is printf's: without APR's own %pI, %pA, %pT, %pB, %pm and the like.
 * - Allocators (apr_allocator_t) are accepted and not used. Memory that a cleared pool needs no more goes back to
 *   Lowtide, which gives it back to the system by itself.
 * - Large objects (more than 64 KiB) are blocks of their own.
 * - There are no locks: a pool, and the tree it is in, is used by one thread at a time. In APR different threads may
 *   make and destroy children of one pool at a time. Pools without a parent (whose parent is the global pool) may here
 *   be made and destroyed by any thread at any time too: that is guarded.
 *
 * Not to be included along with APR's own headers. */
#ifndef LOWTIDE_APR_POOLS_H
#define LOWTIDE_APR_POOLS_H

#include "lowtide/region.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef int apr_status_t;
typedef size_t apr_size_t;
typedef struct apr_pool_t apr_pool_t;
typedef struct apr_allocator_t apr_allocator_t;
typedef int (*apr_abortfunc_t)(int retcode);

#define APR_SUCCESS 0
#define APR_ENOMEM ENOMEM
#define APR_EINVAL EINVAL

/* ---- what a pool is */

/* A function to be called at the pool's end. Lies in the pool. */
struct lowtide_apr_cleanup {
    struct lowtide_apr_cleanup* next;
    const void* data;
    apr_status_t (*plain)(void* data);
    apr_status_t (*child)(void* data);
};

/* Data of the user's under a name. Lies in the pool. */
struct lowtide_apr_datum {
    struct lowtide_apr_datum* next;
    const char* key;
    void* data;
};

/* Lies in malloc, as it has to outlive that the region is reset. */
struct apr_pool_t {
    lowtide_region* region;
    apr_pool_t* parent;
    apr_pool_t* children; /* the newest first */
    apr_pool_t* next;     /* the parent's next child */
    apr_pool_t** place;   /* what points to this one */
    struct lowtide_apr_cleanup* cleanups;
    struct lowtide_apr_datum* data;
    apr_abortfunc_t abort_fn;
    const char* tag;
};

/* The parent of those that have none. Weak: one in the program, however many files include this. */
__attribute__((weak)) apr_pool_t* lowtide_apr_global_pool;
__attribute__((weak)) unsigned lowtide_apr_initialized;
__attribute__((weak)) pthread_mutex_t lowtide_apr_lock = PTHREAD_MUTEX_INITIALIZER;

/* The result of an allocation; where there is none, the pool's abort function hears of it. */
static inline void* lowtide_apr_got(apr_pool_t* pool, void* object) {
    if (object == NULL && pool->abort_fn != NULL)
        pool->abort_fn(APR_ENOMEM);
    return object;
}

/* ---- create, clear, destroy */

static inline apr_status_t apr_pool_create_ex(apr_pool_t** newpool, apr_pool_t* parent, apr_abortfunc_t abort_fn,
                                              apr_allocator_t* allocator) {
    apr_pool_t* const above = parent != NULL ? parent : lowtide_apr_global_pool;
    apr_pool_t* pool = (apr_pool_t*)calloc(1, sizeof(apr_pool_t));
    (void)allocator;
    *newpool = NULL;
    if (abort_fn == NULL && above != NULL)
        abort_fn = above->abort_fn;
    if (pool != NULL) /* the global pool's children belong to different threads: these are trees of their own */
        pool->region = lowtide_region_create(parent != NULL && parent != lowtide_apr_global_pool ? parent->region : NULL,
                                             NULL);
    if (pool == NULL || pool->region == NULL) {
        free(pool);
        if (abort_fn != NULL)
            abort_fn(APR_ENOMEM);
        return APR_ENOMEM;
    }
    pool->abort_fn = abort_fn;
    pool->parent = above;
    if (above != NULL) {
        if (above == lowtide_apr_global_pool)
            pthread_mutex_lock(&lowtide_apr_lock);
        pool->next = above->children;
        pool->place = &above->children;
        if (pool->next != NULL)
            pool->next->place = &pool->next;
        above->children = pool;
        if (above == lowtide_apr_global_pool)
            pthread_mutex_unlock(&lowtide_apr_lock);
    }
    *newpool = pool;
    return APR_SUCCESS;
}

static inline apr_status_t apr_pool_create(apr_pool_t** newpool, apr_pool_t* parent) {
    return apr_pool_create_ex(newpool, parent, NULL, NULL);
}

static inline void apr_pool_destroy(apr_pool_t* pool);

/* Destroys the children and runs the cleanups, those as well that come of it. */
static inline void lowtide_apr_end_dependents(apr_pool_t* pool) {
    while (pool->children != NULL || pool->cleanups != NULL) {
        struct lowtide_apr_cleanup* cleanup;
        while (pool->children != NULL)
            apr_pool_destroy(pool->children);
        cleanup = pool->cleanups;
        if (cleanup != NULL) {
            pool->cleanups = cleanup->next;
            cleanup->plain((void*)cleanup->data);
        }
    }
}

static inline void apr_pool_clear(apr_pool_t* pool) {
    lowtide_apr_end_dependents(pool);
    pool->data = NULL;
    lowtide_region_reset(pool->region);
}

static inline void apr_pool_destroy(apr_pool_t* pool) {
    const int is_shared = pool->parent != NULL && pool->parent == lowtide_apr_global_pool;
    lowtide_apr_end_dependents(pool);
    if (is_shared)
        pthread_mutex_lock(&lowtide_apr_lock);
    if (pool->place != NULL) {
        *pool->place = pool->next;
        if (pool->next != NULL)
            pool->next->place = pool->place;
    }
    if (is_shared)
        pthread_mutex_unlock(&lowtide_apr_lock);
    lowtide_region_destroy(pool->region);
    free(pool);
}

/* As often as it was initialised it has to be terminated; then all pools are destroyed. */
static inline apr_status_t apr_pool_initialize(void) {
    apr_status_t status;
    if (lowtide_apr_initialized++ > 0)
        return APR_SUCCESS;
    status = apr_pool_create(&lowtide_apr_global_pool, NULL);
    if (status != APR_SUCCESS)
        --lowtide_apr_initialized;
    return status;
}

static inline void apr_pool_terminate(void) {
    apr_pool_t* pool = lowtide_apr_global_pool;
    if (lowtide_apr_initialized == 0 || --lowtide_apr_initialized > 0)
        return;
    apr_pool_destroy(pool);
    lowtide_apr_global_pool = NULL;
}

static inline apr_status_t apr_initialize(void) {
    return apr_pool_initialize();
}

static inline void apr_terminate(void) {
    apr_pool_terminate();
}

/* ---- allocate */

static inline void* apr_palloc(apr_pool_t* pool, apr_size_t size) {
    return lowtide_apr_got(pool, lowtide_region_alloc(pool->region, size));
}

static inline void* apr_pcalloc(apr_pool_t* pool, apr_size_t size) {
    return lowtide_apr_got(pool, lowtide_region_calloc(pool->region, 1, size));
}

/* A null string is copied as a null string. */
static inline char* apr_pstrdup(apr_pool_t* pool, const char* text) {
    return text == NULL ? NULL : (char*)lowtide_apr_got(pool, lowtide_region_strdup(pool->region, text));
}

static inline char* apr_pstrndup(apr_pool_t* pool, const char* text, apr_size_t most) {
    return text == NULL ? NULL : (char*)lowtide_apr_got(pool, lowtide_region_strndup(pool->region, text, most));
}

static inline void* apr_pmemdup(apr_pool_t* pool, const void* from, apr_size_t size) {
    return from == NULL ? NULL : lowtide_apr_got(pool, lowtide_region_memdup(pool->region, from, size));
}

/* So many bytes, zeros among them as well, and a zero behind them. */
static inline char* apr_pstrmemdup(apr_pool_t* pool, const char* text, apr_size_t size) {
    char* copy;
    if (text == NULL)
        return NULL;
    copy = (char*)apr_palloc(pool, size + 1);
    if (copy == NULL)
        return NULL;
    memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

static inline char* apr_pvsprintf(apr_pool_t* pool, const char* format, va_list arguments)
    __attribute__((format(printf, 2, 0)));
static inline char* apr_pvsprintf(apr_pool_t* pool, const char* format, va_list arguments) {
    return (char*)lowtide_apr_got(pool, lowtide_region_vprintf(pool->region, format, arguments));
}

static inline char* apr_psprintf(apr_pool_t* pool, const char* format, ...) __attribute__((format(printf, 2, 3)));
static inline char* apr_psprintf(apr_pool_t* pool, const char* format, ...) {
    va_list arguments;
    char* text;
    va_start(arguments, format);
    text = apr_pvsprintf(pool, format, arguments);
    va_end(arguments);
    return text;
}

/* All strings up to a null pointer, behind each other. */
static inline char* apr_pstrcat(apr_pool_t* pool, ...) __attribute__((sentinel));
static inline char* apr_pstrcat(apr_pool_t* pool, ...) {
    va_list parts;
    const char* part;
    apr_size_t length = 0;
    char* text;
    char* end;
    va_start(parts, pool);
    while ((part = va_arg(parts, const char*)) != NULL)
        length += strlen(part);
    va_end(parts);
    text = (char*)apr_palloc(pool, length + 1);
    if (text == NULL)
        return NULL;
    end = text;
    va_start(parts, pool);
    while ((part = va_arg(parts, const char*)) != NULL) {
        const apr_size_t size = strlen(part);
        memcpy(end, part, size);
        end += size;
    }
    va_end(parts);
    *end = '\0';
    return text;
}

/* ---- cleanups */

static inline apr_status_t apr_pool_cleanup_null(void* data) {
    (void)data;
    return APR_SUCCESS;
}

/* `child` is for processes that exec another program (apr_proc_create): it is kept, and nothing here calls it. */
static inline void apr_pool_cleanup_register(apr_pool_t* pool, const void* data, apr_status_t (*plain)(void*),
                                             apr_status_t (*child)(void*)) {
    struct lowtide_apr_cleanup* cleanup = (struct lowtide_apr_cleanup*)apr_palloc(pool, sizeof(*cleanup));
    if (cleanup == NULL)
        return;
    cleanup->data = data;
    cleanup->plain = plain;
    cleanup->child = child;
    cleanup->next = pool->cleanups;
    pool->cleanups = cleanup;
}

/* Forgets the newest with this function and these data. */
static inline void apr_pool_cleanup_kill(apr_pool_t* pool, const void* data, apr_status_t (*plain)(void*)) {
    struct lowtide_apr_cleanup** at = &pool->cleanups;
    while (*at != NULL && ((*at)->data != data || (*at)->plain != plain))
        at = &(*at)->next;
    if (*at != NULL)
        *at = (*at)->next;
}

static inline apr_status_t apr_pool_cleanup_run(apr_pool_t* pool, void* data, apr_status_t (*plain)(void*)) {
    apr_pool_cleanup_kill(pool, data, plain);
    return plain(data);
}

/* ---- what is known of a pool */

static inline apr_pool_t* apr_pool_parent_get(apr_pool_t* pool) {
    return pool->parent;
}

/* A pool is an ancestor of itself here, and no pool is one of all. */
static inline int apr_pool_is_ancestor(apr_pool_t* a, apr_pool_t* b) {
    if (a == NULL)
        return 1;
    while (b != NULL && b != a)
        b = b->parent;
    return b != NULL;
}

/* The text isn't copied. */
static inline void apr_pool_tag(apr_pool_t* pool, const char* tag) {
    pool->tag = tag;
}

static inline void apr_pool_abort_set(apr_abortfunc_t abort_fn, apr_pool_t* pool) {
    pool->abort_fn = abort_fn;
}

static inline apr_abortfunc_t apr_pool_abort_get(apr_pool_t* pool) {
    return pool->abort_fn;
}

/* The key stays where it is. */
static inline apr_status_t apr_pool_userdata_setn(const void* data, const char* key, apr_status_t (*cleanup)(void*),
                                                  apr_pool_t* pool) {
    struct lowtide_apr_datum* datum = pool->data;
    while (datum != NULL && strcmp(datum->key, key) != 0)
        datum = datum->next;
    if (datum == NULL) {
        datum = (struct lowtide_apr_datum*)apr_palloc(pool, sizeof(*datum));
        if (datum == NULL)
            return APR_ENOMEM;
        datum->key = key;
        datum->next = pool->data;
        pool->data = datum;
    }
    datum->data = (void*)data;
    if (cleanup != NULL)
        apr_pool_cleanup_register(pool, data, cleanup, cleanup);
    return APR_SUCCESS;
}

static inline apr_status_t apr_pool_userdata_set(const void* data, const char* key, apr_status_t (*cleanup)(void*),
                                                 apr_pool_t* pool) {
    const char* copy = apr_pstrdup(pool, key);
    return copy == NULL ? APR_ENOMEM : apr_pool_userdata_setn(data, copy, cleanup, pool);
}

static inline apr_status_t apr_pool_userdata_get(void** data, const char* key, apr_pool_t* pool) {
    struct lowtide_apr_datum* datum = pool->data;
    while (datum != NULL && strcmp(datum->key, key) != 0)
        datum = datum->next;
    *data = datum == NULL ? NULL : datum->data;
    return APR_SUCCESS;
}

#ifdef __cplusplus
}
#endif

#endif
