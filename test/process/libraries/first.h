/* A library whose constructor runs before every other one's (-z initfirst), the allocator's included, and
 * whose destructor therefore runs after them. */
#ifndef LOWTIDE_TEST_FIRST_H
#define LOWTIDE_TEST_FIRST_H

#include "../early_use.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What DT_INIT and the constructor did with memory. */
extern struct early_note first_in_dt_init;
extern struct early_note first_in_constructor;

/* From now on the atfork handlers that the constructor registered allocate, and count themselves. */
void first_enable_atfork_handlers(void);
unsigned first_atfork_handlers_run(void);

/* Makes the destructor and DT_FINI allocate and free, and say so on stdout. */
void first_speak_at_the_end(void);

#ifdef __cplusplus
}
#endif
#endif
