// Reading and writing heap profiles: nothing is lost on the way, and nothing that a file may have in it is
// taken for one.
#include "errors.h"
#include "profile/folded.h"
#include "profile/gzip.h"
#include "profile/names.h"
#include "profile/pprof.h"
#include "profile/raw.h"
#include "profile/writers.h"

#include <gtest/gtest.h>
#include <limits>

namespace lowtide::tools {
namespace {

const std::string small = "lowtide profile 1\n"
                          "program /opt/a program\n"
                          "pid 4711\n"
                          "began 1796000000000000000\n"
                          "taken 1796000060000000000\n"
                          "rate 524288\n"
                          "mapping 1000 2000 0 abcdef01 /opt/a program\n"
                          "mapping 7f0000001000 7f0000003000 1000 - /lib/odd\\012name.so\n"
                          "colour blue\n"
                          "stack 7 1010 1020\n"
                          "site 7 1 2 3 4 5 6 7 8 9\n"
                          "stack 8 7f0000001010 1020\n"
                          "site 8 10 20 30 40 50 60 70 80 90\n"
                          "end\n";

std::string error_of(const std::string& text) {
    try {
        read_raw(text, "file");
    } catch (const user_error& error) {
        return error.what();
    }
    return "none";
}

TEST(raw_profile, is_read) {
    const heap_profile read = read_raw(small, "file");
    EXPECT_EQ(read.program, "/opt/a program");
    EXPECT_EQ(read.pid, 4711);
    EXPECT_EQ(read.began_ns, 1796000000000000000);
    EXPECT_EQ(read.taken_ns, 1796000060000000000);
    EXPECT_EQ(read.rate, 524288);
    ASSERT_EQ(read.mappings.size(), 2u);
    EXPECT_EQ(read.mappings[0].build_id, "abcdef01");
    EXPECT_EQ(read.mappings[1].build_id, "");
    EXPECT_EQ(read.mappings[1].path, "/lib/odd\nname.so");
    ASSERT_EQ(read.sites.size(), 2u);
    EXPECT_EQ(read.locations.size(), 3u) << "both stacks have one place in common";
    EXPECT_EQ(read.sites[0].amount[quantity::in_use_objects], 1);
    EXPECT_EQ(read.sites[0].amount[quantity::pinned_bytes], 7);
    EXPECT_EQ(read.sites[0].amount.samples, 8);
    EXPECT_EQ(read.sites[0].amount.lifetime_ns, 9);
    EXPECT_EQ(read.address_name(read.locations[read.sites[1].stack[0]]), "odd\nname.so+0x100f");
}

TEST(raw_profile, is_written_as_it_was_read) {
    const std::string written = write_raw(read_raw(small, "file"));
    EXPECT_EQ(write_raw(read_raw(written, "file")), written);
    EXPECT_NE(written.find("mapping 7f0000001000 7f0000003000 1000 - /lib/odd\\012name.so\n"), written.npos);
    EXPECT_NE(written.find("stack 1 7f0000001010 1020\nsite 1 10 20 30 40 50 60 70 80 90\n"), written.npos);
}

TEST(raw_profile, a_site_may_come_before_its_stack) {
    const heap_profile read =
        read_raw("lowtide profile 1\nsite 1 1 2 3 4 5 6 7 8 9\nstack 1 aa bb\nend\n", "file");
    ASSERT_EQ(read.sites.size(), 1u);
    EXPECT_EQ(read.sites[0].stack.size(), 2u);
}

TEST(raw_profile, what_is_cut_off_at_any_byte_is_an_error) {
    for (std::size_t size = 0; size < small.size(); ++size)
        EXPECT_EQ(error_of(small.substr(0, size)), "file: cut off: it has no line 'end'") << size;
    EXPECT_EQ(error_of(small), "none");
}

TEST(raw_profile, a_malformed_line_is_named) {
    const std::string start = "lowtide profile 1\n";
    for (const auto& [text, error] : std::vector<std::pair<std::string, std::string>>{
             {"something else\nend\n", "file:1: this is no profile of Lowtide"},
             {"lowtide profile 2\nend\n", "file:1: this command doesn't know version 2 of profiles"},
             {start + "\nend\n", "file:2: the record's name is missing"},
             {start + "pid\nend\n", "file:2: the process's id is missing"},
             {start + "pid 1 2\nend\n", "file:2: '2' is too much"},
             {start + "pid -1\nend\n", "file:2: the process's id is '-1', which is no decimal number"},
             {start + "pid  1\nend\n", "file:2: the process's id is empty"},
             {start + "rate 99999999999999999999\nend\n",
              "file:2: the rate is '99999999999999999999', which is no decimal number"},
             {start + "pid 1\nmapping 2 1 0 - /x\nend\n", "file:3: the mapping ends before it begins"},
             {start + "mapping 0x1 2 0 - /x\nend\n",
              "file:2: the mapping's start is '0x1', which is no hexadecimal number"},
             {start + "mapping 1 2 0 xyz /x\nend\n", "file:2: 'xyz' is no build id"},
             {start + "stack 1 0\nend\n", "file:2: an address is 0"},
             {start + "stack 1 1\nstack 1 2\nend\n", "file:3: there is a stack 1 already"},
             {start + "site 1 1 2 3\nend\n", "file:2: allocated_bytes is missing"},
             {start + "site 1 1 2 3 4 5 6 7 8 9 10\nend\n", "file:2: '10' is too much"},
             {start + "site 1 1 2 3 4 5 6 7 8 9\nend\n",
              "file:3: there is no stack 1, of which a site was read"},
             {start + "end\nend\n", "file:2: there is more behind it"}})
        EXPECT_EQ(error_of(text), error) << text;
}

/// With frames, as if the files had been there.
heap_profile with_names() {
    heap_profile profile = read_raw(small, "file");
    profile.locations[0].frames = {
        {.function = "inner()", .symbol = "_Z5innerv", .file = "a.cpp", .line = 3},
        {.function = "outer()", .symbol = "_Z5outerv", .file = "a.cpp", .line = 9}};
    profile.locations[1].frames = {{.function = "main", .symbol = "main", .file = "main.cpp", .line = 5}};
    return profile;
}

TEST(pprof_profile, has_all_that_the_raw_one_has_but_samples_and_lifetimes) {
    heap_profile profile = with_names();
    const heap_profile back = read_pprof(write_pprof(profile, quantity::in_use_bytes), "file");
    ASSERT_EQ(back.locations.size(), profile.locations.size());
    for (std::size_t i = 0; i < back.locations.size(); ++i)
        EXPECT_EQ(back.locations[i].frames, profile.locations[i].frames) << i;
    for (site& each : profile.sites)
        each.amount.samples = each.amount.lifetime_ns = 0;
    EXPECT_EQ(write_raw(back), write_raw(profile));
}

TEST(pprof_profile, may_have_amounts_that_shrank) {
    heap_profile profile = with_names();
    profile.sites[0].amount.of = {-1, -2, std::numeric_limits<std::int64_t>::min(), 4, 5, 6, -7};
    const heap_profile back = read_pprof(write_pprof(profile, quantity::in_use_bytes), "file");
    EXPECT_EQ(back.sites[0].amount.of, profile.sites[0].amount.of);
}

TEST(pprof_profile, what_is_cut_off_at_any_byte_is_an_error) {
    const std::string whole = gzip(write_pprof(with_names(), quantity::in_use_bytes));
    for (std::size_t size = 0; size < whole.size(); ++size)
        EXPECT_THROW(read_pprof(gunzip(whole.substr(0, size), "file"), "file"), user_error) << size;
    EXPECT_THROW(gunzip(whole + "x", "file"), user_error);
}

/// Whatever becomes of it, it is read or an error, and what is read can be shown.
void read_anything(heap_profile (*reader)(std::string_view, const std::string&), const std::string& text) {
    try {
        const heap_profile read = reader(text, "file");
        const report all{read, nullptr, fold(read, detail::lines), quantity::in_use_bytes};
        write_text(all, 0);
        write_collapsed(all);
        write_speedscope(all);
        write_json(all);
        write_pprof(read, quantity::in_use_bytes);
        const folded_profile both = fold(with_names(), read);
        write_text({read, &read, both, quantity::pinned_bytes}, 0);
        growth_of(both);
    } catch (const user_error&) {
    }
}

void read_damaged(heap_profile (*reader)(std::string_view, const std::string&), const std::string& whole) {
    for (std::size_t at = 0; at < whole.size(); ++at) {
        read_anything(reader, whole.substr(0, at));
        for (const int change : {1, 2, 4, 7, 0x10, 0x80, 0xff}) {
            std::string damaged = whole;
            damaged[at] = static_cast<char>(damaged[at] ^ change);
            read_anything(reader, damaged);
        }
    }
}

TEST(pprof_profile, a_damaged_message_is_no_danger) {
    read_damaged(read_pprof, write_pprof(with_names(), quantity::in_use_bytes));
}

TEST(raw_profile, a_damaged_text_is_no_danger) {
    read_damaged(read_raw, small);
    std::string large = small;
    large.replace(large.find("site 7 1 2"), 10, "site 7 9223372036854775807 9223372036854775807");
    large.replace(large.find("site 8 10"), 9, "site 8 9223372036854775807");
    read_damaged(read_raw, large);
}

TEST(gzip, gives_back_what_it_was_given) {
    std::string large;
    for (int i = 0; i < 300'000; ++i)
        large += std::to_string(i * 2654435761u);
    for (const std::string& text : {std::string(), std::string("x"), large}) {
        EXPECT_TRUE(is_gzip(gzip(text)));
        EXPECT_TRUE(gunzip(gzip(text), "file") == text);
    }
}

TEST(folded_profile, stacks_are_equal_by_the_names_of_their_functions) {
    const heap_profile before = with_names();
    heap_profile after = with_names();
    for (location& each : after.locations)
        each.return_address += 0x100; // in another place, and another build
    after.mappings[0].end = 0x3000;
    after.locations[0].frames[0].line = 77;
    after.locations[2].return_address -= 0x100;
    after.sites[0].amount.of = {1, 102, 3, 4, 5, 6, 7};
    after.sites[1].amount.of = {};
    folded_profile both = fold(before, after);
    EXPECT_EQ(both.growth(quantity::in_use_bytes), 80);
    sort_by_growth(both, quantity::in_use_bytes, 0);
    ASSERT_EQ(both.stacks.size(), 2u);
    EXPECT_EQ(both.stacks[0].growth(quantity::in_use_bytes), 100);
    EXPECT_EQ(both.stacks[1].growth(quantity::in_use_bytes), -20);
    EXPECT_EQ(both.frames[both.stacks[1].frames[0]].function, "odd\nname.so+0x100f");
    leave_out_unchanged(both, quantity::peak_bytes);
    EXPECT_EQ(both.stacks.size(), 1u);
}

TEST(folded_profile, a_limit_keeps_the_largest_changes) {
    heap_profile after = with_names();
    after.sites[0].amount.of = {1, 12, 3, 4, 5, 6, 7};
    after.sites[1].amount.of = {};
    folded_profile both = fold(with_names(), after);
    sort_by_growth(both, quantity::in_use_bytes, 1);
    ASSERT_EQ(both.stacks.size(), 1u);
    EXPECT_EQ(both.stacks[0].growth(quantity::in_use_bytes), -20);
    EXPECT_EQ(both.growth(quantity::in_use_bytes), -10) << "of all stacks";
}

TEST(amounts, the_mean_lifetime_is_that_of_all_that_were_freed) {
    amounts sum;
    sum += {.of = {0, 0, 10, 0, 0, 0, 0}, .samples = 0, .lifetime_ns = 100};
    sum += {.of = {5, 0, 35, 0, 0, 0, 0}, .samples = 5, .lifetime_ns = 500};
    sum += {.of = {5, 0, 5, 0, 0, 0, 0}, .samples = 5, .lifetime_ns = 0};
    EXPECT_EQ(sum.lifetime_ns, 400);
    EXPECT_EQ(sum.samples, 10);
}

TEST(function_names, are_those_of_the_source) {
    for (const auto& [symbol, name] : std::vector<std::pair<std::string, std::string>>{
             {"main", "main"},
             {"_ZN4treeIlE6insertEl", "tree<long>::insert(long)"},
             {"_Z1fi.part.0.cold", "f(int)"},
             {"parse.constprop.0.isra.0", "parse"},
             {"main.(*Server).Serve", "main.(*Server).Serve"},
             {"malloc@@GLIBC_2.2.5", "malloc"},
             {"_ZN4core3fmt5write17h0123456789abcdefE", "core::fmt::write"},
             {"_Znonsense", "_Znonsense"}})
        EXPECT_EQ(readable_name(without_suffix(symbol)), name);
}

} // namespace
} // namespace lowtide::tools
