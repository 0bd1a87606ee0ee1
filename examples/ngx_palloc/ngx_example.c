/* Code as a module of nginx has it: it collects the parameters of requests in a pool, which it resets in between. */
#include "lowtide_ngx_palloc.h"

#include <stdio.h>

typedef struct {
    size_t len;
    u_char* data;
} str_t;

typedef struct param_s param_t;
struct param_s {
    param_t* next;
    str_t name;
    str_t value;
};

typedef struct {
    const char* name;
    int* closed;
} file_t;

static void close_file(void* data) {
    file_t* file = data;
    printf("closing %s\n", file->name);
    ++*file->closed;
}

static ngx_int_t copy(ngx_pool_t* pool, str_t* to, const char* from, size_t len) {
    to->data = ngx_pnalloc(pool, len + 1);
    if (to->data == NULL)
        return NGX_ERROR;
    memcpy(to->data, from, len);
    to->data[len] = '\0';
    to->len = len;
    return NGX_OK;
}

/* a=1&b=2 */
static ngx_int_t parse(ngx_pool_t* pool, const char* query, param_t** params) {
    param_t** last = params;
    *params = NULL;
    while (*query != '\0') {
        size_t length = strcspn(query, "&");
        size_t name = strcspn(query, "=&");
        size_t value = name < length ? name + 1 : length;
        param_t* p = ngx_pcalloc(pool, sizeof(param_t));
        if (p == NULL || copy(pool, &p->name, query, name) != NGX_OK ||
            copy(pool, &p->value, query + value, length - value) != NGX_OK)
            return NGX_ERROR;
        *last = p;
        last = &p->next;
        query += length + (query[length] == '&');
    }
    return NGX_OK;
}

static ngx_int_t open_file(ngx_pool_t* pool, const char* name, int* closed) {
    ngx_pool_cleanup_t* cleanup = ngx_pool_cleanup_add(pool, sizeof(file_t));
    file_t* file;
    if (cleanup == NULL)
        return NGX_ERROR;
    file = cleanup->data;
    file->name = name;
    file->closed = closed;
    cleanup->handler = close_file;
    return NGX_OK;
}

static ngx_int_t handle(ngx_pool_t* pool, const char* query) {
    param_t* p;
    if (parse(pool, query, &p) != NGX_OK)
        return NGX_ERROR;
    for (; p != NULL; p = p->next)
        printf("%s (%zu) is %s (%zu)\n", p->name.data, p->name.len, p->value.data, p->value.len);
    return NGX_OK;
}

static const char* answer(ngx_int_t status) {
    return status == NGX_OK ? "NGX_OK" : status == NGX_DECLINED ? "NGX_DECLINED" : "NGX_ERROR";
}

int main(void) {
    int closed = 0;
    int i;
    void* large;
    void* aligned;
    ngx_pool_cleanup_t* unused;
    ngx_pool_t* pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, NULL);
    if (pool == NULL)
        return 1;

    if (open_file(pool, "first.html", &closed) != NGX_OK || open_file(pool, "second.html", &closed) != NGX_OK)
        return 1;
    unused = ngx_pool_cleanup_add(pool, 0); /* its handler is never set */
    if (unused == NULL || unused->handler != NULL || handle(pool, "user=ann&page=7&empty=&flag") != NGX_OK)
        return 1;

    large = ngx_palloc(pool, 100000);
    aligned = ngx_pmemalign(pool, 5000, 4096);
    memset(large, 1, 100000);
    printf("aligned: %d\n", (uintptr_t)aligned % 4096 == 0);
    printf("large: %s\n", answer(ngx_pfree(pool, large)));
    printf("small: %s\n", answer(ngx_pfree(pool, ngx_palloc(pool, 100))));

    for (i = 0; i < 1000; ++i) {
        ngx_reset_pool(pool);
        memset(ngx_palloc(pool, 3000), i, 3000);
        memset(ngx_palloc(pool, 30000), i, 30000);
    }
    printf("closed by resets: %d\n", closed);
    if (handle(pool, "after=reset") != NGX_OK)
        return 1;
    ngx_destroy_pool(pool);
    printf("closed: %d\n", closed);
    return closed == 2 ? 0 : 1;
}
