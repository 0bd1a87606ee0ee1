// The account in words, for people and as XML.
#include "observe/text.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace lowtide::test {
namespace {

// What a printer writes, through a buffer that is far too small for it.
template <typename Print>
std::string printed(Print print) {
    std::string all;
    const auto append = [](void* to, const char* text, size_t size) noexcept {
        static_cast<std::string*>(to)->append(text, size);
    };
    char buffer[16];
    printer out(buffer, append, &all);
    print(out);
    out.flush();
    return all;
}

account an_account() {
    account a;
    a.classes[4] = {64, 2, 2048, 1000, 48};
    a.classes[8] = {128, 1, 512, 512, 0};
    a.live_bytes = 1000 * 64 + 512 * 128;
    a.cached_bytes = 48 * 64;
    a.slack_bytes = 1000 * 64;
    a.hole_bytes = 20 * kibibyte;
    a.metadata_bytes = 128 * kibibyte;
    a.returned_bytes = 5 * mebibyte;
    a.pages = {.reserved_bytes = 16 * mebibyte,
               .committed_bytes = 4 * mebibyte,
               .used_bytes = 192 * kibibyte,
               .dirty_bytes = 640 * kibibyte,
               .purged_bytes = 5 * mebibyte,
               .purge_calls = 7,
               .collapsed_blocks = 3};
    return a;
}

bool has_line(const std::string& text, const std::string& line) {
    return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(observe, limits_are_told_where_there_are_any) {
    account a = an_account();
    EXPECT_EQ(printed([&](printer& out) { print_account(out, a); }).find("limit"), std::string::npos);
    a.held_bytes = 3 * mebibyte;
    a.soft_limit = 4 * mebibyte;
    a.hard_limit = 8 * mebibyte;
    const std::string text = printed([&](printer& out) { print_account(out, a); });
    EXPECT_NE(
        text.find("soft limit            4 MiB  above it what is free goes back first; held are 3 MiB\n"),
        std::string::npos)
        << text;
    EXPECT_NE(text.find("hard limit            8 MiB  above it there is no memory; held are 3 MiB\n"),
              std::string::npos)
        << text;
}

TEST(observe, the_account_has_the_totals_and_a_line_for_each_class_in_use) {
    const std::string text = printed([](printer& out) { print_account(out, an_account()); });
    EXPECT_TRUE(has_line(text, "live              126.5 KiB  held by the program")) << text;
    EXPECT_TRUE(has_line(text, "cached                3 KiB  free objects in magazines and depots")) << text;
    EXPECT_TRUE(
        has_line(text, "in slabs           62.5 KiB  free objects; of that 20 KiB given back to the system"))
        << text;
    EXPECT_TRUE(has_line(text, "in use              192 KiB  slabs and runs")) << text;
    EXPECT_TRUE(has_line(text, "dirty               640 KiB  free, still in memory")) << text;
    EXPECT_TRUE(has_line(text, "returned              5 MiB  given back to the system so far, in 7 calls"))
        << text;
    EXPECT_TRUE(has_line(text, "committed             4 MiB  of 16 MiB reserved")) << text;
    EXPECT_TRUE(has_line(text, "huge pages            6 MiB  made of blocks that had long been full"))
        << text;
    EXPECT_TRUE(has_line(text, "metadata            128 KiB")) << text;
    EXPECT_TRUE(has_line(text, "        64        2         2048         1000         48     62.5 KiB"))
        << text;
    EXPECT_TRUE(has_line(text, "       128        1          512          512          0       64 KiB"))
        << text;
    EXPECT_EQ(text.find("larger"), std::string::npos) << "there are none";
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 10 + 1 + 1 + 2) << "no other class";
}

TEST(observe, the_account_has_what_is_larger_than_the_classes) {
    account a = an_account();
    a.large_count = 3;
    a.large_bytes = 12 * mebibyte;
    a.huge_count = 1;
    a.huge_bytes = 64 * mebibyte;
    const std::string text = printed([&](printer& out) { print_account(out, a); });
    EXPECT_TRUE(has_line(text, "huge                 64 MiB  1 mappings of their own")) << text;
    EXPECT_TRUE(has_line(text, "    larger                     3            3          0       12 MiB"))
        << text;
}

// Every element that is opened is closed, in order; what is inside the tags is checked by the test of
// malloc_info.
bool is_balanced(const std::string& xml) {
    std::vector<std::string> open;
    for (size_t at = xml.find('<'); at != std::string::npos; at = xml.find('<', at + 1)) {
        const size_t end = xml.find('>', at);
        if (end == std::string::npos)
            return false;
        const std::string tag = xml.substr(at + 1, end - at - 1);
        const std::string name = tag.substr(tag[0] == '/', tag.find_first_of(" />", 1) - (tag[0] == '/'));
        if (tag[0] == '/') {
            if (open.empty() || open.back() != name)
                return false;
            open.pop_back();
        } else if (tag.back() != '/') {
            open.push_back(name);
        }
    }
    return open.empty();
}

TEST(observe, the_xml_has_the_same_figures_as_the_account) {
    account a = an_account();
    a.huge_count = 1;
    a.huge_bytes = 64 * mebibyte;
    const std::string xml = printed([&](printer& out) { print_xml(out, a); });
    EXPECT_TRUE(is_balanced(xml)) << xml;
    EXPECT_EQ(xml.rfind("<malloc version=\"1\">", 0), 0u);
    const auto has = [&](const std::string& part) { return xml.find(part) != std::string::npos; };
    EXPECT_TRUE(has("<size from=\"64\" to=\"64\" total=\"67072\" count=\"1048\" live=\"1000\" cached=\"48\" "
                    "slabs=\"2\"/>"))
        << xml;
    EXPECT_TRUE(
        has("<size from=\"128\" to=\"128\" total=\"0\" count=\"0\" live=\"512\" cached=\"0\" slabs=\"1\"/>"))
        << xml;
    EXPECT_TRUE(has("<total type=\"rest\" count=\"1048\" size=\"67072\"/>")) << xml;
    EXPECT_TRUE(has("<total type=\"mmap\" count=\"1\" size=\"67108864\"/>")) << xml;
    EXPECT_TRUE(has("<lowtide live=\"129536\" cached=\"3072\" slack=\"64000\" holes=\"20480\" "
                    "dirty=\"655360\" returned=\"5242880\" "
                    "metadata=\"131072\"/>"))
        << xml;
}

TEST(observe, an_empty_account_is_an_account) {
    EXPECT_FALSE(printed([](printer& out) { print_account(out, {}); }).empty());
    EXPECT_TRUE(is_balanced(printed([](printer& out) { print_xml(out, {}); })));
}

TEST(observe, the_kernels_figures_are_there_and_not_zero) {
    const std::string text = printed([](printer& out) { print_process(out); });
    for (const std::string name : {"peak RSS", "RSS", "page faults"}) {
        const size_t at = ("\n" + text).find("\n" + name);
        ASSERT_NE(at, std::string::npos) << text;
        EXPECT_NE(text[text.find_first_not_of(' ', at + name.size())], '0') << text;
    }
}

} // namespace
} // namespace lowtide::test
