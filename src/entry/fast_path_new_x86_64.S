/* operator new(size_t), apart from malloc: in the static library a C program must not pull in what throws. */
#include "entry/fast_path_x86_64.inc"

        .hidden lowtide_new_slow

        ALLOCATE lowtide_new, FAST_CS_NEW, lowtide_new_slow

        EXPORT  lowtide_new, _Znwm, REPLACEABLE
