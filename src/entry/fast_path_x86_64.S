/* malloc and free of a cached size on x86-64: at most 18 instructions each, no atomic read-modify-write, no lock, no
 * thread-local variable of ours. Anything else is a jump to a C++ function with the arguments untouched.
 *
 * Each is a restartable sequence (rseq(2), include/uapi/linux/rseq.h): between `start` and `commit` the kernel sends a
 * thread that was preempted, migrated or interrupted by a signal to `abort`, and only the last instruction writes
 * something that counts. The descriptor of the sequence is the first thing in `lowtide_fast`, so that the address
 * written to the rseq area also is the base of all the tables.
 *
 * What makes it short:
 *  - the row of magazines is found by multiplication from the concurrency id (mm_cid), inside the sequence;
 *  - a magazine's state is ONE word, the address of its top: empty when the slot below the top is 0, full when the top
 *    is 2 KiB-aligned;
 *  - the page map's root holds distances from the empty leaf, so that any address, ours or wild, finds an entry;
 *    entry 0 leads to the word of class 0, which stays "full";
 *  - one comparison of the cpu id, unsigned, stands for three questions: a thread whose registration the kernel refused
 *    has a negative one; so has the stand-in area (os/thread.h) of a process without rseq; and before start-up the
 *    comparison reads something else that is large (lowtide_rseq_area).
 */
#include "front/fast_layout.h"

        .hidden lowtide_fast
        .hidden lowtide_malloc_slow
        .hidden lowtide_new_slow
        .hidden lowtide_free_slow

/* Where the rseq area is, as a distance from the thread pointer. Start-up stores it. Before, in a program that is linked
 * statically, it is the stand-in's. A linker can't put that into a shared library's data; there it begins as -2, and what
 * is compared are bits 16 .. 47 of the thread pointer itself, which the ABI keeps at %fs:0: at least 2^13, for the
 * dynamic linker maps the thread control block above 512 MiB. */
        .data
        .balign 8
        .globl  lowtide_rseq_area
        .hidden lowtide_rseq_area
        .type   lowtide_rseq_area, @object
        .size   lowtide_rseq_area, 8
lowtide_rseq_area:
#ifdef LOWTIDE_SHARED
        .quad   -2
#else
        .hidden lowtide_thread
        .quad   lowtide_thread@tpoff
#endif

        .text

        .macro BEGIN name
        .globl  \name, \name\()_start, \name\()_commit, \name\()_abort
        .hidden \name, \name\()_start, \name\()_commit, \name\()_abort
        .type   \name, @function
        .p2align 6
\name:
        .cfi_startproc
        .endm

/* Where the kernel sends a thread that it has interrupted: behind an undefined instruction that carries the signature. */
        .macro END name, slow
        .byte   0x0f, 0xb9, 0x3d
        .long   RSEQ_SIGNATURE
\name\()_abort:
        jmp     \slow
        .cfi_endproc
        .size   \name, .-\name
        .endm

        .macro EXPORT name, as
        .globl  \as
        .type   \as, @function
        .set    \as, \name
        .endm

/* void* name(size_t size): rdi = size */
        .macro ALLOCATE name, section, slow
        BEGIN   \name
        cmpq    $FAST_MAX_SIZE, %rdi
        ja      \slow
        leaq    15(%rdi), %rax
        shrl    $4, %eax                                /* index into the class table */
        leaq    lowtide_fast+\section(%rip), %rsi
        movq    lowtide_rseq_area(%rip), %rcx
        cmpl    $RSEQ_CPU_LIMIT, %fs:RSEQ_CPU_ID(%rcx)
        jae     \slow
        movq    %rsi, %fs:RSEQ_CS(%rcx)
\name\()_start:
        imull   $FAST_ROW_BYTES, %fs:RSEQ_MM_CID(%rcx), %edx
        addl    FAST_CLASS_TABLE-\section(%rsi,%rax,4), %edx
        movq    FAST_ROWS-\section(%rsi,%rdx), %rcx
        movq    -8(%rcx), %rax
        testq   %rax, %rax
        jz      \slow
        subq    $8, %rcx
        movq    %rcx, FAST_ROWS-\section(%rsi,%rdx)
\name\()_commit:
        ret
        END     \name, \slow
        .endm

        ALLOCATE lowtide_malloc, FAST_CS_MALLOC, lowtide_malloc_slow
        ALLOCATE lowtide_new, FAST_CS_NEW, lowtide_new_slow

/* void free(void* p): rdi = p */
        BEGIN   lowtide_free
        movq    %rdi, %rax
        rolq    $32, %rax
        movzwl  %ax, %edx                               /* 4 GiB: root index */
        shrq    $48, %rax                               /* 64 KiB slice within it */
        leaq    lowtide_fast+FAST_CS_FREE(%rip), %rsi
        addq    FAST_MAP_ROOT-FAST_CS_FREE(%rsi,%rdx,8), %rax
        movq    lowtide_rseq_area(%rip), %rcx
        cmpl    $RSEQ_CPU_LIMIT, %fs:RSEQ_CPU_ID(%rcx)
        jae     lowtide_free_slow
        movq    %rsi, %fs:RSEQ_CS(%rcx)
lowtide_free_start:
        imull   $FAST_ROW_BYTES, %fs:RSEQ_MM_CID(%rcx), %edx
        addl    FAST_EMPTY_LEAF-FAST_CS_FREE(%rsi,%rax,4), %edx
        movq    FAST_ROWS-FAST_CS_FREE(%rsi,%rdx), %rcx
        testl   $(MAGAZINE_BYTES - 1), %ecx
        jz      lowtide_free_slow
        movq    %rdi, (%rcx)
        addq    $8, %rcx
        movq    %rcx, FAST_ROWS-FAST_CS_FREE(%rsi,%rdx)
lowtide_free_commit:
        ret
        END     lowtide_free, lowtide_free_slow

        EXPORT  lowtide_malloc, malloc
        EXPORT  lowtide_free, free
        EXPORT  lowtide_free, cfree
        EXPORT  lowtide_new, _Znwm                      /* operator new(size_t) */
        EXPORT  lowtide_free, _ZdlPv                    /* operator delete(void*) */

        .section .note.GNU-stack,"",@progbits
