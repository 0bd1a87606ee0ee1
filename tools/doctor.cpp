// `lowtide doctor`: see doctor.h. Each fact is a function of its own; none of them fails where /proc or /sys
// is missing.
#include "doctor.h"

#include "base/print.h"
#include "errors.h"
#include "library.h"
#include "os/cgroup.h"
#include "restartable.h"
#include "text_file.h"

#include <cstdio>
#include <fmt/format.h>
#include <gnu/libc-version.h>
#include <nlohmann/json.hpp>
#include <sched.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace lowtide::tools {

namespace {

namespace fs = std::filesystem;

std::string in_units(std::uint64_t bytes) {
    char text[32];
    printer out(text);
    out.print("{}", byte_count{bytes});
    return std::string(out.text());
}

fact library() {
    try {
        return {"library", find_library(), "this is what `lowtide run` loads."};
    } catch (const user_error& error) {
        return {"library", "not found", std::string(error.what()) + "."};
    }
}

fact kernel() {
    utsname names{};
    uname(&names);
    int major = 0;
    int minor = 0;
    std::sscanf(names.release, "%d.%d", &major, &minor);
    const int version = major * 1000 + minor;
    return {"kernel", names.release,
            version >= 6003 ? "new enough for everything that Lowtide uses."
            : version >= 4018
                ? "restartable sequences (4.18), but no dense processor ids (6.3): one cache for each "
                  "processor that a thread has run on."
                : "no restartable sequences (4.18): Lowtide's caches are behind locks."};
}

fact glibc() {
    const std::string version = gnu_get_libc_version();
    int major = 0;
    int minor = 0;
    std::sscanf(version.c_str(), "%d.%d", &major, &minor);
    return {"glibc", version,
            major * 1000 + minor >= 2035
                ? "registers restartable sequences for each thread, which Lowtide uses."
                : "registers no restartable sequences (2.35 does): Lowtide's caches are "
                  "behind locks."};
}

fact rseq() {
    const restartable_sequences found = find_restartable_sequences();
    return {"rseq", found.summary, found.meaning};
}

fact membarrier() {
    const auto works = membarrier_rseq_works();
    return {"membarrier",
            !works   ? "unknown"
            : *works ? "yes"
                     : "no",
            works.value_or(false)
                ? "the cache of an idle processor can be drained from another one."
                : "the cache of an idle processor keeps its objects until that processor is used."};
}

fact page_size() {
    const auto size = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    return {"page_size", in_units(size),
            fmt::format("memory goes back to the system in steps of {}.", in_units(size))};
}

fact huge_pages(const fs::path& root) {
    const std::string modes = text_of(root / "sys/kernel/mm/transparent_hugepage/enabled").value_or("");
    const std::size_t begin = modes.find('[');
    const std::size_t end = modes.find(']', begin);
    if (begin == modes.npos || end == modes.npos)
        return {"huge_pages", "unknown",
                "the kernel does not say; most likely it has no transparent huge pages."};
    const std::string mode = modes.substr(begin + 1, end - begin - 1);
    return {
        "huge_pages", mode,
        mode == "always"
            ? "the kernel may back 2 MiB where only a part was touched: RSS can be above what is "
              "in use."
        : mode == "madvise"
            ? "where a program asks for them: Lowtide does while a process grows fast (option huge_pages)."
            : "none: RSS follows what is touched."};
}

fact overcommit(const fs::path& root) {
    const auto mode = number_in(root / "proc/sys/vm/overcommit_memory");
    const auto ratio = number_in(root / "proc/sys/vm/overcommit_ratio");
    if (!mode)
        return {"overcommit", "unknown",
                "the kernel does not say; its default is 0, a guess at what is too much."};
    if (*mode != 2)
        return {"overcommit", std::to_string(*mode), "address space is free until it is touched."};
    return {"overcommit", ratio ? fmt::format("2, ratio {} %", *ratio) : "2",
            "the kernel counts memory when it is made writable, so that an allocation can fail long before "
            "memory "
            "is full."};
}

fact memory_limit(const os::control_group& group, const os::control_group::memory& memory) {
    if (group.version() == 0)
        return {"memory_limit", "unknown",
                "no memory control group is visible: the machine's memory is the limit."};
    if (memory.limit != group.unlimited)
        return {
            "memory_limit", fmt::format("{} (cgroup v{})", in_units(memory.limit), group.version()),
            fmt::format("the kernel kills above it (set in {}); what is free goes back before that (option "
                        "pressure).",
                        group.folder_of_limit())};
    return {"memory_limit", fmt::format("none (cgroup v{})", group.version()),
            "the machine's memory is the limit."};
}

fact memory_throttle(const os::control_group::memory& memory) {
    if (memory.high == os::control_group::unlimited)
        return {"memory_high", "none", "the kernel does not slow this process down for its memory."};
    return {
        "memory_high", in_units(memory.high),
        "above it the kernel slows the process down; what is free goes back before that (option pressure)."};
}

fact mappings(const fs::path& root) {
    constexpr std::uint64_t usual = 65530;
    const auto most = number_in(root / "proc/sys/vm/max_map_count");
    if (!most)
        return {"max_map_count", "unknown",
                fmt::format("the kernel does not say; its default is {}.", usual)};
    return {"max_map_count", std::to_string(*most),
            *most < usual
                ? "fewer than usual: each block from the size of the option huge takes one mapping."
                : "enough: Lowtide takes few mappings, one for each block from the size of the option huge."};
}

fact resource_limit(const char* key, decltype(RLIMIT_AS) resource, const char* name) {
    rlimit limit{};
    if (getrlimit(resource, &limit) != 0)
        return {key, "unknown", fmt::format("{} cannot be read.", name)};
    if (limit.rlim_cur == RLIM_INFINITY)
        return {key, "unlimited", fmt::format("{} is not limited.", name)};
    return {key, in_units(limit.rlim_cur),
            fmt::format("{} is limited: Lowtide reserves less at a time, and malloc fails above it.", name)};
}

unsigned usable_processors() {
    for (int most = 1024; most <= 1 << 20; most *= 4) {
        cpu_set_t* set = CPU_ALLOC(most);
        if (set == nullptr)
            break;
        const std::size_t size = CPU_ALLOC_SIZE(most);
        const int count = sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (count > 0)
            return static_cast<unsigned>(count);
    }
    return 1;
}

fact processors(const os::control_group& group) {
    const unsigned usable = usable_processors();
    const unsigned quota = group.cpu_quota();
    return {
        "processors",
        fmt::format("{} online, {} usable{}", sysconf(_SC_NPROCESSORS_ONLN), usable,
                    quota != 0 ? fmt::format(", a quota of {:.4g}", quota / 1000.0) : ""),
        fmt::format("at most {} cache{}, however many threads there are.", usable, usable == 1 ? "" : "s")};
}

} // namespace

std::vector<fact> examine_machine(const fs::path& root) {
    os::control_group group;
    group.find(root.c_str());
    const os::control_group::memory memory = group.read_memory();
    return {
        library(),
        kernel(),
        glibc(),
        rseq(),
        membarrier(),
        page_size(),
        huge_pages(root),
        overcommit(root),
        memory_limit(group, memory),
        memory_throttle(memory),
        mappings(root),
        resource_limit("rlimit_as", RLIMIT_AS, "address space (ulimit -v)"),
        resource_limit("rlimit_data", RLIMIT_DATA, "private writable memory (ulimit -d)"),
        processors(group),
    };
}

void print_facts(const std::vector<fact>& facts, bool json) {
    nlohmann::ordered_json tree;
    for (const fact& f : facts) {
        if (json)
            tree[f.key] = {{"value", f.value}, {"meaning", f.meaning}};
        else
            fmt::print("{:<14} {}\n{:<14} {}\n", f.key, f.value, "", f.meaning);
    }
    if (json)
        fmt::print("{}\n", tree.dump(2));
}

} // namespace lowtide::tools
