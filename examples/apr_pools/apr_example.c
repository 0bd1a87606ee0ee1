/* A program written for APR's pools: it reads a small configuration into a tree of them. The same source is built
 * twice, with APR's headers and library and with the shim, and prints the same. */
#ifdef WITH_APR
#include <apr_general.h>
#include <apr_pools.h>
#include <apr_strings.h>
#else
#include "lowtide_apr_pools.h"
#endif

#include <stdio.h>
#include <stdlib.h>

struct setting {
    struct setting* next;
    const char* key;
    const char* value;
};

struct site {
    apr_pool_t* pool;
    const char* name;
    struct setting* settings;
};

static apr_status_t say_closed(void* data) {
    printf("  closed: %s\n", (const char*)data);
    return APR_SUCCESS;
}

static apr_status_t say_refused(void* data) {
    printf("  refused: %s\n", (const char*)data);
    return APR_EINVAL;
}

static int out_of_memory(int status) {
    printf("out of memory: %s\n", status == APR_ENOMEM ? "APR_ENOMEM" : "another status");
    return -1;
}

/* A site in a pool of its own below `parent`. */
static struct site* open_site(apr_pool_t* parent, const char* name) {
    apr_pool_t* pool;
    struct site* site;
    if (apr_pool_create(&pool, parent) != APR_SUCCESS)
        abort();
    apr_pool_tag(pool, name);
    site = apr_pcalloc(pool, sizeof(*site));
    site->pool = pool;
    site->name = apr_pstrdup(pool, name);
    apr_pool_cleanup_register(pool, site->name, say_closed, apr_pool_cleanup_null);
    return site;
}

/* "key=value;key=value" */
static void add_settings(struct site* site, const char* text) {
    while (*text != '\0') {
        struct setting* setting = apr_palloc(site->pool, sizeof(*setting));
        const char* equals = strchr(text, '=');
        const char* end = strchr(equals, ';');
        apr_size_t length = end == NULL ? strlen(equals + 1) : (apr_size_t)(end - equals - 1);
        setting->key = apr_pstrndup(site->pool, text, (apr_size_t)(equals - text));
        setting->value = apr_pmemdup(site->pool, apr_pstrmemdup(site->pool, equals + 1, length), length + 1);
        setting->next = site->settings;
        site->settings = setting;
        text = end == NULL ? "" : end + 1;
    }
}

static void print_site(const struct site* site) {
    const char* line = apr_psprintf(site->pool, "site %s:", site->name);
    const struct setting* s;
    for (s = site->settings; s != NULL; s = s->next)
        line = apr_pstrcat(site->pool, line, " [", s->key, "] ", s->value, NULL);
    puts(line);
}

static void many_objects(apr_pool_t* pool) {
    unsigned char* zeroed = apr_pcalloc(pool, 300000);
    unsigned long sum = 0;
    int i;
    for (i = 0; i < 300000; ++i)
        sum += zeroed[i];
    for (i = 0; i < 20000; ++i) {
        int* number = apr_palloc(pool, sizeof(*number));
        *number = i;
        sum += (unsigned long)*number;
    }
    printf("many objects: %lu\n", sum);
}

int main(void) {
    apr_pool_t* top;
    apr_pool_t* pool;
    apr_pool_t* strict;
    struct site* outer;
    struct site* inner;
    void* found;
    static char visitor[] = "visitor";
    static char late[] = "late one";
    static char gone[] = "taken back";
    static char bad[] = "run by hand";

    if (apr_initialize() != APR_SUCCESS || apr_pool_create(&top, NULL) != APR_SUCCESS)
        return 1;
    outer = open_site(top, "outer");
    add_settings(outer, "root=/srv/www;index=index.html;empty=");
    print_site(outer);

    inner = open_site(outer->pool, "inner");
    add_settings(inner, "port=8080");
    print_site(inner);
    printf("inner's parent is outer: %d\n", apr_pool_parent_get(inner->pool) == outer->pool);
    printf("ancestors: %d %d %d\n", apr_pool_is_ancestor(top, inner->pool),
           apr_pool_is_ancestor(inner->pool, top), apr_pool_is_ancestor(outer->pool, outer->pool));

    apr_pool_userdata_set("first", "owner", NULL, outer->pool);
    apr_pool_userdata_set(visitor, "owner", say_closed, outer->pool);
    apr_pool_userdata_get(&found, "owner", outer->pool);
    printf("owner: %s\n", (const char*)found);
    apr_pool_userdata_get(&found, "nobody", outer->pool);
    printf("nobody: %s\n", found == NULL ? "none" : "found");

    apr_pool_cleanup_register(outer->pool, gone, say_closed, apr_pool_cleanup_null);
    apr_pool_cleanup_kill(outer->pool, gone, say_closed);
    apr_pool_cleanup_register(outer->pool, bad, say_refused, apr_pool_cleanup_null);
    printf("by hand: %d\n", apr_pool_cleanup_run(outer->pool, bad, say_refused) == APR_EINVAL);
    apr_pool_cleanup_register(outer->pool, late, say_closed, apr_pool_cleanup_null);

    puts("clearing outer:"); /* the site lies in its pool, and is gone with it */
    pool = outer->pool;
    apr_pool_clear(pool);
    apr_pool_userdata_get(&found, "owner", pool);
    printf("owner: %s\n", found == NULL ? "none" : "found");
    many_objects(pool);
    printf("null strings: %d\n", apr_pstrdup(pool, NULL) == NULL && apr_pmemdup(pool, NULL, 1) == NULL);

    if (apr_pool_create_ex(&strict, pool, out_of_memory, NULL) != APR_SUCCESS)
        return 1;
    printf("abort function: %d\n", apr_pool_abort_get(strict) == out_of_memory);
    open_site(strict, "under strict");
    open_site(strict, "under strict too");
    apr_pool_cleanup_register(strict, "strict itself", say_closed, apr_pool_cleanup_null);
    open_site(top, "second");

    puts("destroying top:");
    apr_pool_destroy(top);
    puts("terminating:");
    if (apr_pool_create(&top, NULL) != APR_SUCCESS)
        return 1;
    open_site(top, "left behind");
    apr_terminate();
    return 0;
}
