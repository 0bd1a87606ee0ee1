// How the program that is stepped and the one that steps it talk: the former stops at a breakpoint
// instruction of its own, with a message in one register, and finds the answer there.
#pragma once

namespace rseq_test {

enum message : long {
    // From the stepped program.
    round_begins = 1, // answered with a command
    operation_begins, // one call of malloc, free, operator new or operator delete follows
    operation_ends,
    round_ends,
    // Answers.
    go_on,
    finish,
};

} // namespace rseq_test
