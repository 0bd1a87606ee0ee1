// The one object that the fast paths work on. Raw bytes: zero is its valid first state (front/fast_state.h),
// and a compiler need not know what is in it.
#include "front/fast_layout.h"

extern "C" {
__attribute__((visibility("hidden"), aligned(4096))) unsigned char lowtide_fast[FAST_BYTES];
}
