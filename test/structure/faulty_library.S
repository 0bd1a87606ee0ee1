// A shared library with every fault that library_faults.cpp looks for.
    .section .tbss,"awT",@nobits
    .align 8
too_much:
    .zero 520

    .text
    .globl malloc, strdup
    .type malloc, @function
    .type strdup, @function
malloc:
strdup:
    ret
    .quad malloc + 0 // an address among the code: a relocation there
    .fill 0x100000   // more than any process should have of an allocator

    .section .note.GNU-stack,"x",@progbits
