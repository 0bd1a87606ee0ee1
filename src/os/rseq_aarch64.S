/* The three restartable operations of os/rseq.h for aarch64. The signature in front of an abort handler is a BRK with an
 * immediate of its own (tools/testing/selftests/rseq/rseq-arm64.h: RSEQ_SIG_CODE). */

#define RSEQ_CPU_ID 4
#define RSEQ_CS 8
#define RSEQ_SIGNATURE 0xd428bc00

        .macro DESCRIBE name
        .pushsection .data.rel.ro.lowtide_rseq, "aw", %progbits
        .balign 32
\name\()_cs:
        .word   0, 0
        .xword  \name\()_start, \name\()_commit - \name\()_start, \name\()_abort
        .popsection
        .endm

/* x0 = words, x1 = row bytes, x2 = place; leaves x9 = the word, and enters the sequence */
        .macro ENTER name
        mrs     x10, tpidr_el0
        ldp     x11, x12, [x2]
        add     x11, x10, x11                           /* the area */
        add     x12, x10, x12                           /* the id */
        ldr     w13, [x11, #RSEQ_CPU_ID]
        tbnz    w13, #31, \name\()_refused
        adrp    x14, \name\()_cs
        add     x14, x14, :lo12:\name\()_cs
        str     x14, [x11, #RSEQ_CS]
\name\()_start:
        ldr     w13, [x2, #16]                          /* place->closed */
        cbnz    w13, \name\()_refused
        ldr     w9, [x12]
        madd    x9, x9, x1, x0
        .endm

        .macro ABORTED name
        .inst   RSEQ_SIGNATURE
\name\()_abort:
\name\()_refused:
        mov     x0, #1
        ret
        .endm

        .macro FUNCTION name
        .globl  \name
        .hidden \name
        .type   \name, %function
        .p2align 5
\name:
        .cfi_startproc
        .endm

        .macro FINISH name
        .cfi_endproc
        .size   \name, .-\name
        .endm

        .text

/* (words, row_bytes, place) */
DESCRIBE lowtide_rseq_pop
FUNCTION lowtide_rseq_pop
        ENTER lowtide_rseq_pop
        ldr     x15, [x9]
        sub     x15, x15, #8
        ldr     x4, [x15]
        cbz     x4, 1f
        str     x15, [x9]
lowtide_rseq_pop_commit:
1:      mov     x0, x4
        ret
        ABORTED lowtide_rseq_pop
FINISH lowtide_rseq_pop

/* (words, row_bytes, place, object) */
DESCRIBE lowtide_rseq_push
FUNCTION lowtide_rseq_push
        ENTER lowtide_rseq_push
        ldr     x15, [x9]
        tst     x15, #2047
        b.eq    1f
        str     x3, [x15]
        add     x15, x15, #8
        str     x15, [x9]
lowtide_rseq_push_commit:
        mov     x0, x3
        ret
1:      mov     x0, #0
        ret
        ABORTED lowtide_rseq_push
FINISH lowtide_rseq_push

/* (words, row_bytes, place, next, previous) */
DESCRIBE lowtide_rseq_exchange
FUNCTION lowtide_rseq_exchange
        ENTER lowtide_rseq_exchange
        ldr     x15, [x9]
        str     x15, [x4]
        str     x3, [x9]
lowtide_rseq_exchange_commit:
        mov     x0, #0
        ret
        ABORTED lowtide_rseq_exchange
FINISH lowtide_rseq_exchange

        .section .note.GNU-stack,"",%progbits
