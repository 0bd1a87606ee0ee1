// The examples in the comments of the public headers compile and run: they are here (those for C in
// examples.c), and the last test looks whether every line of them is.
#include "lowtide/allocator.hpp"
#include "lowtide/block_pool.hpp"
#include "lowtide/heap.hpp"
#include "lowtide/memory_resource.hpp"
#include "lowtide/region.hpp"
#include "lowtide/smart_pointer.hpp"

#include "examples.h"

#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <gtest/gtest.h>
#include <map>
#include <memory_resource>
#include <regex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace lowtide::test {
namespace {

TEST(example, of_region_h) {
    lowtide::region connection;
    EXPECT_TRUE(example_of_regions(connection.get(), "GET / HTTP/1.1"));
}

TEST(example, of_block_pool_h) {
    EXPECT_TRUE(example_of_block_pools());
}

TEST(example, of_heap_h) {
    EXPECT_TRUE(example_of_heaps());
}

TEST(example, of_region_hpp) {
    lowtide::region connection;
    lowtide::region request(connection, {.name = "request"});
    auto& headers = request.make<std::map<std::string, std::string>>();
    headers["Host"] = "example.org";
    EXPECT_EQ(request.name(), "request");
    EXPECT_EQ(connection.stats().children, 1U);
}

TEST(example, of_block_pool_hpp) {
    const char text[] = "a body";
    const std::size_t length = sizeof(text);
    lowtide::block_pool bodies({.name = "bodies", .block_size = 2 << 20, .max_blocks = 1000});
    if (lowtide::block body = bodies.take("upload"))
        std::memcpy(body.data(), text, length);
    EXPECT_EQ(bodies.stats().taken, 0U);
    EXPECT_EQ(bodies.stats().refused, 0U);
}

TEST(example, of_heap_hpp) {
    lowtide::heap plugin("plugin");
    void* p = plugin.allocate(100);
    std::size_t bytes = 0;
    plugin.walk([&](void*, std::size_t size) { bytes += size; });
    EXPECT_GE(bytes, 100U);
    plugin.deallocate(p);
}

TEST(example, of_allocator_hpp) {
    lowtide::region request;
    std::vector<int, lowtide::region_allocator<int>> numbers(request);
    numbers.push_back(1);

    lowtide::heap plugin;
    std::map<int, int, std::less<>, lowtide::heap_allocator<std::pair<const int, int>>> table(plugin);
    table[1] = 2;
    EXPECT_EQ(plugin.stats().objects, 1U);
}

TEST(example, of_memory_resource_hpp) {
    lowtide::region request;
    lowtide::region_resource memory(request);
    std::pmr::map<std::pmr::string, std::pmr::string> headers(&memory);
    headers["Host"] = "example.org";
    EXPECT_EQ(headers.begin()->second.get_allocator().resource(), &memory);
}

TEST(example, of_block_pool_resource) {
    lowtide::block_pool bodies({.name = "bodies", .block_size = 2 << 20});
    lowtide::block_pool_resource memory(bodies);
    std::pmr::vector<char> body(&memory);
    body.reserve(bodies.block_size());
    EXPECT_EQ(bodies.stats().taken, 1U);
}

TEST(example, of_smart_pointer_hpp) {
    lowtide::heap plugin;
    auto parser = lowtide::make_unique<std::string>(plugin, "text");
    auto shared = lowtide::allocate_shared<std::string>(plugin, "text");
    EXPECT_EQ(plugin.stats().objects, 2U);

    lowtide::region request;
    auto early = lowtide::make_unique<std::string>(request, "text");
    EXPECT_EQ(*parser + *shared + *early, "texttexttext");
}

// ---- is each line of the headers' examples here?

std::string without_indentation_and_comment(const std::string& line) {
    return std::regex_replace(line, std::regex(R"(^\s+|\s*//.*$)"), "");
}

void collect_lines(const std::filesystem::path& file, std::set<std::string>& lines) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);)
        lines.insert(without_indentation_and_comment(line));
}

TEST(example, is_here_line_by_line) {
    std::set<std::string> here;
    collect_lines(std::filesystem::path(LOWTIDE_EXAMPLES) / "examples.c", here);
    collect_lines(std::filesystem::path(LOWTIDE_EXAMPLES) / "examples_test.cpp", here);
    ASSERT_GT(here.size(), 50U);
    // In a comment, indented by five columns: " *     code", "//     code", "///     code".
    const std::regex code(R"(^(?: \*|///?) {5}(.*)$)");
    int found = 0;
    for (const auto& header : std::filesystem::directory_iterator(LOWTIDE_HEADERS)) {
        std::ifstream in(header.path());
        std::smatch match;
        for (std::string line; std::getline(in, line);) {
            if (!std::regex_match(line, match, code))
                continue;
            const std::string wanted = without_indentation_and_comment(match[1]);
            if (wanted == "...")
                continue;
            ++found;
            EXPECT_TRUE(here.contains(wanted)) << header.path().filename() << ": " << wanted;
        }
    }
    EXPECT_GT(found, 25);
}

} // namespace
} // namespace lowtide::test
