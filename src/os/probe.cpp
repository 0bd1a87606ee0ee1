#include "os/probe.h"

// Each in the section where tracers look for it.
#ifdef LOWTIDE_SEMAPHORE
#define DEFINE(name) volatile unsigned short name##_semaphore __attribute__((section(".probes"))) = 0
extern "C" {
DEFINE(otel_memory_alloc);
DEFINE(otel_memory_free);
DEFINE(lowtide_refill);
DEFINE(lowtide_flush);
DEFINE(lowtide_commit);
DEFINE(lowtide_purge);
DEFINE(lowtide_huge_alloc);
DEFINE(lowtide_huge_free);
DEFINE(lowtide_trim);
}
#endif
