/* Finds the functions of face.h: compiled once for the preloaded programs, once for all others. */
#include "face.h"

struct face lowtide;

#ifdef ABI_PRELOAD

#include <dlfcn.h>
#include <string.h>

const char* load_face(void) {
    const struct {
        const char* name;
        void* slot;
    } wanted[] = {{"lowtide_owns", &lowtide.owns},
                  {"cfree", &lowtide.cfree},
                  {"free_sized", &lowtide.free_sized},
                  {"free_aligned_sized", &lowtide.free_aligned_sized}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; ++i) {
        void* const found = dlsym(RTLD_DEFAULT, wanted[i].name);
        if (!found)
            return wanted[i].name;
        memcpy(wanted[i].slot, &found, sizeof found);
    }
    return NULL;
}

#else

#include <lowtide/lowtide.h>

extern void cfree(void*);
extern void free_sized(void*, size_t);
extern void free_aligned_sized(void*, size_t, size_t);

const char* load_face(void) {
    lowtide = (struct face){lowtide_owns, cfree, free_sized, free_aligned_sized};
    return NULL;
}

#endif
