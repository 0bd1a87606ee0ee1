/* operator new(size_t) and operator delete(void*, size_t), apart from malloc: in the static library a C program must
 * not pull in what throws. */
#include "entry/fast_path_x86_64.inc"

        .hidden lowtide_new_slow
        .hidden lowtide_delete_sized_slow

        ALLOCATE lowtide_new, FAST_CS_NEW, lowtide_new_slow

/* The sizes that operator delete(p, size) has a fast path for: none until start-up has seen that operator delete(p),
 * which it stands for, is ours as well and not the program's own. */
        .data
        .balign 8
        .globl  lowtide_delete_sizes
        .hidden lowtide_delete_sizes
        .type   lowtide_delete_sizes, @object
        .size   lowtide_delete_sizes, 8
lowtide_delete_sizes:
        .quad   0

        .text
        FREE_SIZED lowtide_delete_sized, FAST_CS_DELETE_SIZED, lowtide_delete_sized_slow, lowtide_delete_sizes(%rip)

        EXPORT  lowtide_new, _Znwm, REPLACEABLE
        EXPORT  lowtide_delete_sized, _ZdlPvm, REPLACEABLE
