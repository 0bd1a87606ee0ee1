/* malloc while allocations are counted (front/counting.cpp): between its fast path, which finds nothing then, and the slow
 * one. */
#include "entry/fast_path_x86_64.inc"

        .hidden lowtide_malloc_slow
        .hidden lowtide_counts
        .hidden lowtide_thread

        .text
        .globl  lowtide_malloc_unserved
        .hidden lowtide_malloc_unserved
        .type   lowtide_malloc_unserved, @function
lowtide_malloc_unserved:
        .cfi_startproc
        cmpl    $0, lowtide_counts(%rip)
        je      lowtide_malloc_slow
        jmp     lowtide_malloc_counted
        .cfi_endproc
        .size   lowtide_malloc_unserved, .-lowtide_malloc_unserved

        .section .text.rare, "ax", @progbits
        ALLOCATE lowtide_malloc_counted, FAST_CS_COUNTED, lowtide_malloc_slow, FAST_COUNTED_TABLE, 1

/* The slow path is told what was found here (os::counted_as). */
        .macro TELL label, what
        .type   \label, @function
\label:
        .cfi_startproc
        movq    lowtide_thread@gottpoff(%rip), %rax
        movb    $\what, %fs:(%rax)
        jmp     lowtide_malloc_slow
        .cfi_endproc
        .size   \label, .-\label
        .endm

        TELL    lowtide_malloc_counted_missed, 1
        TELL    lowtide_malloc_counted_due, 2
