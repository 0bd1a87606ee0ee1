// Whether the tests run under an emulator, qemu-user, that does not do all that a kernel does.
#pragma once

namespace lowtide::test {

#ifdef LOWTIDE_TEST_EMULATED
inline constexpr bool emulated = true;
#else
inline constexpr bool emulated = false;
#endif

} // namespace lowtide::test
