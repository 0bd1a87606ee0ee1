/* A server in miniature whose memory does not go back: docs/profiles.md finds out why. A busy hour of orders makes
 * objects that all end, but each eightieth leaves a line in an audit trail, and the lines lie among them. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { busy_hour = 400000, most_lines = 1 << 20, carts_kept = 20000, line_size = 48, cart_size = 700 };

static char* trail[most_lines];
static size_t lines;
static void* carts[carts_kept];

static void* must(void* p) {
    if (p == NULL)
        abort();
    return p;
}

static void audit_note(int order) {
    char* line = must(malloc(line_size));
    snprintf(line, line_size, "order %d: paid", order);
    trail[lines++ % most_lines] = line;
}

static void cart_keep(int order) {
    void** cart = &carts[order % carts_kept];
    free(*cart);
    *cart = must(calloc(1, cart_size));
}

static void* handle(int order) {
    void* item = must(malloc(line_size));
    memset(item, 1, line_size);
    if (order % 80 == 0)
        audit_note(order);
    if (order % 50 == 0)
        cart_keep(order);
    return item;
}

static void* serve(void* unused) {
    static void* items[busy_hour];
    for (int order = 0; order < busy_hour; ++order)
        items[order] = handle(order);
    for (int order = 0; order < busy_hour; ++order)
        free(items[order]);
    for (int order = 0; lines < most_lines; ++order) { /* and then it is quiet */
        free(handle(order));
        if (order % 2000 == 0)
            usleep(100000);
    }
    return unused;
}

int main(void) {
    pthread_t server;
    if (pthread_create(&server, NULL, serve, NULL) != 0)
        return 1;
    pthread_join(server, NULL);
    return 0;
}
