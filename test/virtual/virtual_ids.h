// A build of the library for tests, in which concurrency ids are not the kernel's: each thread that joins
// gets one of its own, for good. The restartable sequences then run as they are, on a machine with any number
// of processors and without rseq (under valgrind); nothing restarts them, and nothing needs to, because no
// two threads share a row. Time is made up as well: it passes with the calls that ask for it.
#pragma once

#include <cstdint>

extern "C" {

/// Gives the calling thread an id of its own. False if there are none left (LOWTIDE_VIRTUAL_CPUS, 2 by
/// default): the thread then goes round the caches, as one does whose registration the kernel has refused.
/// The first thread to allocate has one already.
__attribute__((visibility("default"))) bool lowtide_virtual_join();

/// How often a lock of the library was held by another thread when it was wanted, in all threads so far.
__attribute__((visibility("default"))) std::uint64_t lowtide_virtual_contended();
}
