/* A library that takes 64 bytes of static TLS: of the little that ld.so keeps for libraries loaded late. */
static _Thread_local __attribute__((tls_model("initial-exec"))) char bytes[STATIC_TLS_SIZE] = {1};

int static_tls_touch(void);
int static_tls_touch(void) {
    return ++bytes[0];
}
