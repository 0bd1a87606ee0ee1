// Functions whose frames an unwinder has to get through. Compiled twice, with frame pointers and without.
#pragma once

namespace lowtide::test {

// Calls `last` at the end of a chain of calls, `depth` deep where it is a recursion.
struct call_chains {
    void (*recursion)(unsigned depth, void (*last)());
    void (*alloca_of)(unsigned bytes, void (*last)());
    void (*large_frame)(void (*last)());
    void (*aligned_frame)(unsigned bytes, void (*last)());
    void (*exception_frame)(void (*last)());
};

extern const call_chains chains_with_frame_pointers;
extern const call_chains chains_without_frame_pointers;

} // namespace lowtide::test
