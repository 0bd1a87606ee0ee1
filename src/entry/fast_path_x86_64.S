/* malloc and free; see fast_path_x86_64.inc. */
#include "entry/fast_path_x86_64.inc"

        .hidden lowtide_malloc_unserved
        .hidden lowtide_free_slow
        .hidden lowtide_free_sized_slow

/* Where the rseq area is, as a distance from the thread pointer. Start-up stores it. Before, in a program that is linked
 * statically, it is the stand-in's. A linker can't put that into a shared library's data; there it begins as -2, and what
 * is compared are bits 16 .. 47 of the thread pointer itself, which the ABI keeps at %fs:0: at least 2^10, for the
 * dynamic linker maps the thread control block above 64 MiB (lowest under valgrind). */
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

        /* Where in a page this lies is the same in every build, so that a change elsewhere in the library isn't taken for
         * one of speed: beginning at a multiple of 512, the paths collided in some predictor with the callers of a
         * benchmark, and a malloc and free of 1 MiB took 4 to 13 ns instead of 4.1. */
        .text
        .p2align 9
        .skip   64

        ALLOCATE lowtide_malloc, FAST_CS_MALLOC, lowtide_malloc_unserved

/* void free(void* p): rdi = p */
        BEGIN   lowtide_free
        SPLIT   %rax, %ax
        leaq    lowtide_fast+FAST_CS_FREE(%rip), %rsi
        ENTER   %rsi, lowtide_free_slow
lowtide_free_start:
        addq    FAST_MAP_ROOT-FAST_CS_FREE(%rsi,%rdx,8), %rax
        imull   $FAST_ROW_BYTES, %fs:RSEQ_MM_CID(%rcx), %edx
        addl    FAST_EMPTY_LEAF-FAST_CS_FREE(%rsi,%rax,4), %edx
        PUSH    lowtide_free, %rsi, FAST_CS_FREE, lowtide_free_slow
        END     lowtide_free, lowtide_free_slow

/* void free_sized(void* p, size_t size): rdi = p, rsi = size */
        FREE_SIZED lowtide_free_sized, FAST_CS_FREE_SIZED, lowtide_free_sized_slow, $FAST_MAX_SIZE+1

        EXPORT  lowtide_malloc, malloc
        EXPORT  lowtide_free, free
        EXPORT  lowtide_free, cfree
        EXPORT  lowtide_free_sized, free_sized
        EXPORT  lowtide_free, _ZdlPv, REPLACEABLE       /* operator delete(void*) */
