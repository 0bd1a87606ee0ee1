/* A library that one could take for an allocator by its name. */
int not_malloc(void);
int not_malloc(void) {
    return 0;
}
