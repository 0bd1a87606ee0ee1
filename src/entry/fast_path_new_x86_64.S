/* operator new(size_t) and operator delete(void*, size_t), apart from malloc: in the static library a C program must
 * not pull in what throws. */
#include "entry/fast_path_x86_64.inc"

        .hidden lowtide_new_slow
        .hidden lowtide_delete_sized_slow
        .hidden lowtide_malloc_counted
        .hidden lowtide_counts

        ALLOCATE lowtide_new, FAST_CS_NEW, lowtide_new_unserved

/* While allocations are counted: as malloc does it (fast_path_counted_x86_64.S), but that what finds no memory throws. */
        .globl  lowtide_new_unserved
        .hidden lowtide_new_unserved
        .type   lowtide_new_unserved, @function
lowtide_new_unserved:
        .cfi_startproc
        cmpl    $0, lowtide_counts(%rip)
        je      lowtide_new_slow
        jmp     lowtide_new_counted
        .cfi_endproc
        .size   lowtide_new_unserved, .-lowtide_new_unserved

        .section .text.rare, "ax", @progbits
        .type   lowtide_new_counted, @function
lowtide_new_counted:
        .cfi_startproc
        pushq   %rdi
        .cfi_adjust_cfa_offset 8
        call    lowtide_malloc_counted
        popq    %rdi
        .cfi_adjust_cfa_offset -8
        testq   %rax, %rax
        jz      lowtide_new_slow
        ret
        .cfi_endproc
        .size   lowtide_new_counted, .-lowtide_new_counted

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
