// Static probes for tracers (USDT): a no-op each, that bpftrace, perf or SystemTap turn into a call of theirs
// while they watch the process. Arguments are only computed while somebody does: the semaphore says so, which
// the tracer counts up (uprobes' ref_ctr_offset; "SystemTap: user-space probe mapping"). Without <sys/sdt.h>
// there are none.
//
//     otel_memory:alloc(address, bytes, weighted bytes)   an allocation that is sampled was made; the weights
//                                                         add up to all that is allocated
//     otel_memory:free(address)                           one that was sampled is freed
//     lowtide:refill(object bytes, objects)               objects go from slabs to the caches
//     lowtide:flush(object bytes, objects)                and back
//     lowtide:commit(address, bytes)                      address space becomes usable
//     lowtide:purge(address, bytes)                       memory goes back to the system, its addresses stay
//     lowtide:huge_alloc(address, bytes)                  a mapping of its own
//     lowtide:huge_free(address, bytes)
//     lowtide:trim(bytes)                                 everything that could go back has gone
//
// The first two are what OpenTelemetry's eBPF profiler asks of allocators (its design document 00003, "memory
// profiling").
#pragma once

#if __has_include(<sys/sdt.h>)

#define _SDT_HAS_SEMAPHORES 1
#define SDT_USE_VARIADIC 1
#include <sys/sdt.h>

#define LOWTIDE_SEMAPHORE(provider, name)                                                                    \
    extern "C" __attribute__((visibility("hidden"))) volatile unsigned short provider##_##name##_semaphore
LOWTIDE_SEMAPHORE(otel_memory, alloc);
LOWTIDE_SEMAPHORE(otel_memory, free);
LOWTIDE_SEMAPHORE(lowtide, refill);
LOWTIDE_SEMAPHORE(lowtide, flush);
LOWTIDE_SEMAPHORE(lowtide, commit);
LOWTIDE_SEMAPHORE(lowtide, purge);
LOWTIDE_SEMAPHORE(lowtide, huge_alloc);
LOWTIDE_SEMAPHORE(lowtide, huge_free);
LOWTIDE_SEMAPHORE(lowtide, trim);

#define LOWTIDE_PROBE(provider, name, ...)                                                                   \
    do {                                                                                                     \
        if (provider##_##name##_semaphore != 0) [[unlikely]]                                                 \
            STAP_PROBEV(provider, name, __VA_ARGS__);                                                        \
    } while (false)

#else
#define LOWTIDE_PROBE(provider, name, ...) static_cast<void>(0)
#endif
