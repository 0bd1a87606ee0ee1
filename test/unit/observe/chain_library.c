// Shared libraries that differ in the size of a frame, LOWTIDE_TEST_FRAME, and in nothing else: same addresses, other
// rules.
static volatile unsigned sink;

__attribute__((visibility("default"))) void call_back(void (*last)(void)) {
    volatile char memory[LOWTIDE_TEST_FRAME];
    memory[0] = 1;
    last();
    sink = (unsigned)memory[0];
}

// Found out by a function that the dynamic linker calls: at the first call, where binding is lazy.
static void (*resolving)(void);
__attribute__((visibility("default"))) void when_resolving(void (*call)(void)) {
    resolving = call;
}
static void chosen(void) {
    sink = 1;
}
__attribute__((used)) static void (*choose(void))(void) {
    if (resolving)
        resolving();
    sink = 2;
    return chosen;
}
__attribute__((visibility("default"), ifunc("choose"))) void found_at_first_call(void);
__attribute__((visibility("default"))) void first_call(void) {
    found_at_first_call();
    sink = 3;
}
