/* The examples of the headers for C, line by line: examples_test.cpp runs them, and finds each line of theirs here. */
#include "lowtide/block_pool.h"
#include "lowtide/heap.h"
#include "lowtide/region.h"

#include "examples.h"

#include <string.h>

int example_of_regions(lowtide_region* connection, const char* text) {
    lowtide_region* request = lowtide_region_create(connection, NULL);
    char* line = lowtide_region_strdup(request, text);
    const int same = line != text && strcmp(line, text) == 0;
    lowtide_region_destroy(request);
    return same;
}

int example_of_block_pools(void) {
    struct lowtide_block_pool_options options = {.size = sizeof(options), .name = "bodies", .block_size = 2 << 20};
    lowtide_block_pool* bodies = lowtide_block_pool_create(&options);
    void* body = lowtide_block_pool_take(bodies, "upload");
    memset(body, 'x', options.block_size);
    lowtide_block_pool_give(bodies, body);
    return lowtide_block_pool_destroy(bodies) == 0;
}

int example_of_heaps(void) {
    lowtide_heap* plugin = lowtide_heap_create("plugin");
    char* p = lowtide_heap_malloc(plugin, 100);
    memset(p, 'x', 100);
    const int known = lowtide_heap_of(p) == plugin;
    lowtide_heap_destroy(plugin);
    return known;
}
