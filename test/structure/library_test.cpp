// The library as a file. A library with every fault shows that each of them would be seen.
#include "library_faults.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace lowtide::test {
namespace {

const names& golden() {
    static const names list = names_in(LOWTIDE_GOLDEN_EXPORTS);
    return list;
}

TEST(library, has_no_fault_as_a_file) {
    EXPECT_EQ(library_faults(LOWTIDE_LIBRARY, golden()), std::vector<std::string>{});
}

TEST(library, every_fault_would_be_seen) {
    std::vector<std::string> faults = library_faults(LOWTIDE_FAULTY_LIBRARY, {"malloc", "free"});
    const std::vector<std::string> expected = {
        "needs something else than libc.so.6 alone",
        "has not the SONAME liblowtide.so.0",
        "can be unloaded (no NODELETE)",
        "has relocations in its code (TEXTREL)",
        "has 520 bytes of TLS",
        "asks for an executable stack",
        "has too much code in its first segment",
        "exports strdup",
        "does not export free",
    };
    for (const std::string& fault : expected)
        EXPECT_EQ(std::count(faults.begin(), faults.end(), fault), 1) << fault;
    EXPECT_EQ(faults.size(), expected.size());
}

// The first page of it that is touched brings 64 KiB into memory.
TEST(library, what_most_processes_never_run_is_not_in_their_memory) {
    FILE* maps = popen("unset LOWTIDE_CONF; LD_PRELOAD=" LOWTIDE_LIBRARY " cat /proc/self/smaps", "r");
    ASSERT_NE(maps, nullptr);
    std::string rare; // how much of the mapping is in memory, "Rss: … kB"
    bool is_rare = false;
    for (char line[512]; fgets(line, sizeof(line), maps) != nullptr;) {
        const std::string_view text = line;
        if (text.find(" r-xp ") != text.npos)
            is_rare = text.find("liblowtide") != text.npos && text.find(" r-xp 00000000 ") == text.npos;
        else if (is_rare && text.starts_with("Rss:"))
            rare = std::exchange(is_rare, false) ? text : "";
    }
    EXPECT_EQ(pclose(maps), 0);
    EXPECT_EQ(rare, "Rss:                   0 kB\n");
}

// "provider:name(arguments)" of each, as os/probe.h lists them, with the number of arguments.
std::map<std::string, long> documented_probes() {
    std::map<std::string, long> probes;
    std::ifstream header(LOWTIDE_PROJECT "/src/os/probe.h");
    for (std::string line; std::getline(header, line);) {
        const std::size_t open = line.find('(');
        const std::size_t colon = line.find(':');
        if (!line.starts_with("//     ") || colon > open || open == line.npos)
            continue;
        const std::string arguments = line.substr(open, line.find(')') - open);
        probes[line.substr(7, open - 7)] = 1 + std::count(arguments.begin(), arguments.end(), ',');
    }
    return probes;
}

TEST(library, has_the_probes_that_are_documented_each_with_a_semaphore) {
    FILE* notes = popen("readelf -nW " LOWTIDE_LIBRARY, "r");
    ASSERT_NE(notes, nullptr);
    std::map<std::string, long> found;
    std::string provider;
    std::string probe;
    for (char line[512]; fgets(line, sizeof(line), notes) != nullptr;) {
        const std::string text = line;
        const auto value_of = [&](const std::string& key) {
            const std::size_t at = text.find(key);
            return at == text.npos ? std::string()
                                   : text.substr(at + key.size(), text.find('\n', at) - at - key.size());
        };
        if (const std::string name = value_of("Provider: "); !name.empty())
            provider = name;
        if (const std::string name = value_of("Name: "); !name.empty())
            probe = provider + ":" + name;
        if (const std::string semaphore = value_of("Semaphore: "); !semaphore.empty()) {
            EXPECT_NE(std::stoul(semaphore, nullptr, 16), 0u) << probe;
        }
        if (const std::string arguments = value_of("Arguments: "); !arguments.empty())
            found[probe] = std::count(arguments.begin(), arguments.end(), '@');
    }
    EXPECT_EQ(pclose(notes), 0);
    EXPECT_EQ(found, documented_probes());
    EXPECT_FALSE(found.empty());
}

TEST(library, the_list_of_exports_is_the_allocators_and_nothing_elses) {
    EXPECT_EQ(golden().size(), 20u + 7u + 20u + 6u + 18u + 10u + 11u);
    for (const char* foreign : {"strdup", "strndup", "mmap", "munmap", "mremap", "sbrk", "brk", "memcpy",
                                "memset", "madvise", "fork", "getenv", "realpath", "asprintf"})
        EXPECT_FALSE(golden().contains(foreign)) << foreign;
    const auto operators = std::ranges::count_if(
        golden(), [](const std::string& name) { return name.starts_with("_Zn") || name.starts_with("_Zd"); });
    EXPECT_EQ(operators, 20);
}

} // namespace
} // namespace lowtide::test
