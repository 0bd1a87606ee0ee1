/* A library that is initialised in the ordinary order; see ordinary.h. */
#include "ordinary.h"

struct early_note ordinary_in_dt_init;
struct early_note ordinary_in_constructor;

void ordinary_dt_init(void);
void ordinary_dt_init(void) {
    early_use(&ordinary_in_dt_init);
}

__attribute__((constructor)) static void construct(void) {
    early_use(&ordinary_in_constructor);
}
