/* The three restartable operations of os/rseq.h for x86-64. Each: describe the sequence to the kernel, find the row of
 * the id, work on registers and private memory, commit with the last store. */

#define RSEQ_CPU_ID 4
#define RSEQ_CS 8
#define RSEQ_SIGNATURE 0x53053053

        .macro DESCRIBE name
        .pushsection .data.rel.ro.lowtide_rseq, "aw", @progbits
        .balign 32
\name\()_cs:
        .long   0, 0                                    /* version, flags */
        .quad   \name\()_start, \name\()_commit - \name\()_start, \name\()_abort
        .popsection
        .endm

/* rdx = place; leaves r9 = area, r10 = id field, and enters the sequence */
        .macro ENTER name
        movq    (%rdx), %r9
        movq    8(%rdx), %r10
        cmpl    $0, %fs:RSEQ_CPU_ID(%r9)
        js      \name\()_refused
        leaq    \name\()_cs(%rip), %rax
        movq    %rax, %fs:RSEQ_CS(%r9)
\name\()_start:
        cmpl    $0, 16(%rdx)                            /* place->closed */
        jne     \name\()_refused
        movl    %fs:(%r10), %eax
        imulq   %rsi, %rax
        addq    %rdi, %rax                              /* the word */
        .endm

        .macro ABORTED name
        .byte   0x0f, 0xb9, 0x3d                        /* ud1 with the signature as its operand */
        .long   RSEQ_SIGNATURE
\name\()_abort:
\name\()_refused:
        movl    $1, %eax
        ret
        .endm

        .macro FUNCTION name
        .globl  \name
        .hidden \name
        .type   \name, @function
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
        movq    (%rax), %r8
        movq    -8(%r8), %r11
        testq   %r11, %r11
        jz      1f
        subq    $8, %r8
        movq    %r8, (%rax)
lowtide_rseq_pop_commit:
1:      movq    %r11, %rax
        ret
        ABORTED lowtide_rseq_pop
FINISH lowtide_rseq_pop

/* (words, row_bytes, place, object) */
DESCRIBE lowtide_rseq_push
FUNCTION lowtide_rseq_push
        ENTER lowtide_rseq_push
        movq    (%rax), %r11
        testl   $2047, %r11d
        jz      1f
        movq    %rcx, (%r11)
        addq    $8, %r11
        movq    %r11, (%rax)
lowtide_rseq_push_commit:
        movq    %rcx, %rax
        ret
1:      xorl    %eax, %eax
        ret
        ABORTED lowtide_rseq_push
FINISH lowtide_rseq_push

/* (words, row_bytes, place, next, previous) */
DESCRIBE lowtide_rseq_exchange
FUNCTION lowtide_rseq_exchange
        ENTER lowtide_rseq_exchange
        movq    (%rax), %r11
        movq    %r11, (%r8)
        movq    %rcx, (%rax)
lowtide_rseq_exchange_commit:
        xorl    %eax, %eax
        ret
        ABORTED lowtide_rseq_exchange
FINISH lowtide_rseq_exchange

        .section .note.GNU-stack,"",@progbits
