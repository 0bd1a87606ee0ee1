/* The examples of the headers for C: each answers whether all was as it should be. */
#pragma once

#include "lowtide/region.h"

#ifdef __cplusplus
extern "C" {
#endif

int example_of_regions(lowtide_region* connection, const char* text);
int example_of_block_pools(void);
int example_of_heaps(void);

#ifdef __cplusplus
}
#endif
