#include "observe/profile.h"

#include "os/code.h"
#include "os/machine.h"

namespace lowtide {

namespace {

constexpr size_t longest_path = 4096;

void print_mapping(void* to, const os::code_mapping& m) noexcept {
    printer& out = *static_cast<printer*>(to);
    out.print("mapping {} {} {} ", m.begin, m.end, m.offset);
    for (size_t i = 0; i < m.build_id_size; ++i)
        out.print("{}{:x}", m.build_id[i] < 16 ? "0" : "", m.build_id[i]);
    out.print("{} {}\n", m.build_id_size == 0 ? "-" : "", m.path);
}

void print_program(printer& out) noexcept {
    char path[longest_path];
    out.print("program {}\npid {}\n", os::program_path(path, sizeof(path)), os::process_id());
}

uint64_t rounded(double value) noexcept {
    return value > 0 ? static_cast<uint64_t>(value + 0.5) : 0;
}

} // namespace

void print_profile(printer& out, samples& all, size_t rate, const profile_times& times,
                   const samples::leaks* leaks) noexcept {
    out.print("lowtide profile 1\n");
    print_program(out);
    out.print("began {}\ntaken {}\nrate {}\n", times.began_ns, times.taken_ns, rate);
    os::for_each_code_mapping(print_mapping, &out);
    size_t id = 0;
    all.for_each_site([&](const sample_site& stack, const sample_site& now) {
        const estimate& in_use = leaks == nullptr ? now.in_use : now.leaked;
        if (leaks != nullptr && in_use.objects == 0)
            return;
        out.print("stack {}", ++id);
        for (uint32_t i = 0; i < stack.depth; ++i)
            out.print(" {:x}", stack.frames[i]);
        out.print("\nsite {} {} {} {} {} {} {} {} {} {}\n", id, rounded(in_use.objects),
                  rounded(in_use.bytes), rounded(now.allocated.objects), rounded(now.allocated.bytes),
                  rounded(now.peak.objects), rounded(now.peak.bytes), rounded(now.pinned_bytes), now.samples,
                  now.freed == 0 ? 0 : rounded(now.lived_ns / now.freed));
    });
    if (leaks != nullptr)
        out.print("leaked {} {} {} {}\n", rounded(leaks->direct.objects), rounded(leaks->direct.bytes),
                  rounded(leaks->indirect.objects), rounded(leaks->indirect.bytes));
    out.print("end\n");
}

} // namespace lowtide
