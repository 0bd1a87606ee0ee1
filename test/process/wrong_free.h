// Helpers of the tests about pointers that must not be freed: a PART misuses one and says which, a PROMISE
// runs it in the library's modes and demands one clear line on stderr with that pointer, and SIGABRT.
#pragma once

#include "harness.h"
#include "workload.h"

#include <cstdio>
#include <malloc.h>

namespace wrong_free {

constexpr size_t kMiB = 1u << 20;

// The part says which pointer it is about to misuse, and afterwards, if it still runs, that it does.
inline void* announce(const void* pointer) {
    char text[32];
    const int n = std::snprintf(text, sizeof text, "%#lx\n", reinterpret_cast<unsigned long>(pointer));
    harness::say({text, static_cast<size_t>(n)});
    return const_cast<void*>(pointer);
}

// A mistake with a small block that was not noticed yet: it is when the magazines are emptied.
inline void survived() {
    harness::say("survived\n");
    malloc_trim(0);
}

// Hides from the compiler where the pointer came from, so that it neither warns nor optimises.
template <class T>
T* launder(T* pointer) {
    asm volatile("" : "+r"(pointer));
    return pointer;
}

// A block of this size among others that stay allocated, so that its slab remains in use.
inline void* block_among_others(size_t size) {
    constexpr int kOthers = 1000;
    void* block = nullptr;
    for (int i = 0; i <= kOthers; ++i) {
        void* each = std::malloc(size);
        block = i == kOthers / 2 ? each : block;
    }
    return block;
}

inline size_t count(std::string_view text, char c) {
    size_t n = 0;
    for (char each : text) {
        n += each == c ? 1 : 0;
    }
    return n;
}

enum class when { at_once, at_the_latest_when_magazines_are_emptied };

inline void require_report(const char* part, const char* environment, std::string_view phrase, when caught) {
    const harness::outcome of = harness::run_part(part, {.environment = {environment}});
    const std::string pointer = of.out.substr(0, of.out.find('\n'));
    const bool fine = of.killed_by(SIGABRT) && of.err.starts_with("lowtide: ") && count(of.err, '\n') == 1 &&
                      of.err.ends_with('\n') && of.err.find(pointer) != std::string::npos &&
                      of.err.find(phrase) != std::string::npos &&
                      (caught != when::at_once || of.out == pointer + "\n");
    if (!fine) {
        std::fprintf(stderr,
                     "%s with %s: expected one line with '%s' and '%s' and an abort; wait status 0x%x\n%s%s",
                     part, environment, pointer.c_str(), std::string(phrase).c_str(),
                     static_cast<unsigned>(of.status), of.out.c_str(), of.err.c_str());
        std::exit(1);
    }
}

// Caught in both modes on the spot, or in the ordinary mode perhaps later.
inline void require_caught_at_once(const char* part, std::string_view phrase) {
    require_report(part, "LOWTIDE_CONF", phrase, when::at_once);
    require_report(part, "LOWTIDE_CONF=check:true", phrase, when::at_once);
    require_report(part, "LOWTIDE_CONF=rseq:false", phrase, when::at_once);
}

inline void require_caught(const char* part, std::string_view phrase) {
    require_report(part, "LOWTIDE_CONF", phrase, when::at_the_latest_when_magazines_are_emptied);
    require_report(part, "LOWTIDE_CONF=rseq:false", phrase, when::at_the_latest_when_magazines_are_emptied);
    require_report(part, "LOWTIDE_CONF=check:true", phrase, when::at_once);
}

} // namespace wrong_free
