#include "observe/text.h"

#include "os/machine.h"

#include <string_view>

namespace lowtide {

void print_account(printer& out, const account& a) noexcept {
    out.print("live           {:>12}  held by the program\n", byte_count{a.live_bytes})
        .print("cached         {:>12}  free objects in magazines and depots\n", byte_count{a.cached_bytes})
        .print("in slabs       {:>12}  free objects; of that {} given back to the system\n",
               byte_count{a.slack_bytes}, byte_count{a.hole_bytes})
        .print("in use         {:>12}  slabs and runs\n", byte_count{a.pages.used_bytes})
        .print("huge           {:>12}  {} mappings of their own\n", byte_count{a.huge_bytes}, a.huge_count)
        .print("dirty          {:>12}  free, still in memory\n", byte_count{a.pages.dirty_bytes})
        .print("returned       {:>12}  given back to the system so far, in {} calls\n",
               byte_count{a.returned_bytes}, a.pages.purge_calls)
        .print("committed      {:>12}  of {} reserved\n", byte_count{a.pages.committed_bytes},
               byte_count{a.pages.reserved_bytes})
        .print("huge pages     {:>12}  made of blocks that had long been full\n",
               byte_count{a.pages.collapsed_blocks * block_size})
        .print("metadata       {:>12}\n", byte_count{a.metadata_bytes});
    const auto limit = [&](const char* name, size_t bytes, const char* meaning) {
        if (bytes != SIZE_MAX)
            out.print("{:<14} {:>12}  {}; held are {}\n", name, byte_count{bytes}, meaning,
                      byte_count{a.held_bytes});
    };
    limit("soft limit", a.soft_limit, "above it what is free goes back first");
    limit("hard limit", a.hard_limit, "above it there is no memory");
    out.print("\n{:>10} {:>8} {:>12} {:>12} {:>10} {:>12}\n", "size", "slabs", "room for", "live", "cached",
              "live bytes");
    for (const class_account& c : a.classes) {
        if (c.objects == 0)
            continue;
        out.print("{:>10} {:>8} {:>12} {:>12} {:>10} {:>12}\n", c.size, c.slabs, c.objects, c.live, c.cached,
                  byte_count{c.live * c.size});
    }
    if (a.large_count != 0)
        out.print("{:>10} {:>8} {:>12} {:>12} {:>10} {:>12}\n", "larger", "", a.large_count, a.large_count, 0,
                  byte_count{a.large_bytes});
}

void print_xml(printer& out, const account& a) noexcept {
    out.print("<malloc version=\"1\">\n<heap nr=\"0\">\n<sizes>\n");
    size_t free_objects = 0;
    size_t free_bytes = 0;
    for (const class_account& c : a.classes) {
        if (c.objects == 0)
            continue;
        const size_t free = c.objects - c.live;
        free_objects += free;
        free_bytes += free * c.size;
        out.print("<size from=\"{}\" to=\"{}\" total=\"{}\" count=\"{}\" live=\"{}\" cached=\"{}\" "
                  "slabs=\"{}\"/>\n",
                  c.size, c.size, free * c.size, free, c.live, c.cached, c.slabs);
    }
    out.print("</sizes>\n<total type=\"fast\" count=\"0\" size=\"0\"/>\n")
        .print("<total type=\"rest\" count=\"{}\" size=\"{}\"/>\n", free_objects, free_bytes)
        .print("<system type=\"current\" size=\"{}\"/>\n<system type=\"max\" size=\"{}\"/>\n",
               a.pages.committed_bytes, a.pages.committed_bytes)
        .print("<aspace type=\"total\" size=\"{}\"/>\n<aspace type=\"mprotect\" size=\"{}\"/>\n</heap>\n",
               a.pages.reserved_bytes, a.pages.committed_bytes)
        .print("<total type=\"fast\" count=\"0\" size=\"0\"/>\n<total type=\"rest\" count=\"{}\" "
               "size=\"{}\"/>\n",
               free_objects, free_bytes)
        .print("<total type=\"mmap\" count=\"{}\" size=\"{}\"/>\n", a.huge_count, a.huge_bytes)
        .print("<system type=\"current\" size=\"{}\"/>\n", a.pages.committed_bytes + a.huge_bytes)
        .print("<lowtide live=\"{}\" cached=\"{}\" slack=\"{}\" holes=\"{}\" dirty=\"{}\" returned=\"{}\" "
               "metadata=\"{}\"/>\n",
               a.live_bytes, a.cached_bytes, a.slack_bytes, a.hole_bytes, a.pages.dirty_bytes,
               a.returned_bytes, a.metadata_bytes)
        .print("</malloc>\n");
}

// Of /proc/self/status, in bytes; 0 where it isn't there.
static size_t status_bytes(std::string_view status, std::string_view key) noexcept {
    return os::number_behind(status, key) * kibibyte;
}

void print_process(printer& out) noexcept {
    char status[4096];
    const long length = os::read_file("/proc/self/status", status, sizeof(status));
    const os::usage use = os::process_usage();
    const std::string_view text(status, length > 0 ? static_cast<size_t>(length) : 0);
    const size_t peak = length > 0 ? status_bytes(text, "VmHWM:") : use.peak_resident_bytes;
    out.print("peak RSS       {:>12}\n", byte_count{peak});
    if (length > 0)
        out.print("RSS            {:>12}\n", byte_count{status_bytes(text, "VmRSS:")});
    out.print("page faults    {:>12}  without, {} with reading from a device\n", use.minor_faults,
              use.major_faults);
}

} // namespace lowtide
