/* A program at a fixed address that takes malloc's address, as Debian's python3 does: for everybody, that is
 * then the address of its own jump to malloc. It empties its environment, as nginx does. */
#include <stdlib.h>

int main(void) {
    void* (*volatile const get)(size_t) = malloc;
    free(get(1));
    clearenv();
    return 0;
}
