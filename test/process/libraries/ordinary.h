/* A library that is initialised in the ordinary order: it depends on the C library only, so ld.so is free to
 * do so before or after the allocator, and finishes it in the reverse order. */
#ifndef LOWTIDE_TEST_ORDINARY_H
#define LOWTIDE_TEST_ORDINARY_H

#include "../early_use.h"

#ifdef __cplusplus
extern "C" {
#endif

extern struct early_note ordinary_in_dt_init;
extern struct early_note ordinary_in_constructor;

#ifdef __cplusplus
}
#endif
#endif
