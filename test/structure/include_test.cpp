// Nothing includes upwards. The planted violations show that the check would see it.
#include "include_rules.h"

#include "child.h"

#include <fstream>
#include <gtest/gtest.h>

namespace lowtide::test {
namespace {

namespace fs = std::filesystem;
using violations = std::vector<std::string>;

TEST(includes, nothing_includes_upwards) {
    ASSERT_TRUE(fs::exists(fs::path(LOWTIDE_PROJECT) / "src/base/options.h"));
    EXPECT_EQ(include_violations(LOWTIDE_PROJECT), violations{});
}

TEST(includes, a_planted_violation_is_seen) {
    const temporary_folder project;
    project.write("src/base/bits.h", "#include <cstdint>\n");
    project.write("src/pages/runs.h", "#include \"base/bits.h\"\n#include \"slab/slab.h\"\n");
    EXPECT_EQ(include_violations(project.path()),
              violations{"src/pages/runs.h:2: may not include \"slab/slab.h\""});
}

TEST(includes, every_way_around_the_rule_is_seen) {
    const temporary_folder project;
    project.write("include/lowtide/lowtide.h", "#include <stddef.h>\n  #  include \"base/bits.h\"\n");
    project.write("src/base/a.h", "#include \"../os/vm.h\"\n#include HEADER\n#include <lowtide/lowtide.h>\n");
    project.write("src/os/b.cpp", "#include <sys/mman.h>\n#include \"vm.h\" // not there\n");
    project.write("src/slab/c.cpp", "#include <sys/mman.h>\n");
    project.write("src/entry/d.cpp", "#include \"front/front.h\"\n#include <lowtide/lowtide.h>\n");
    project.write("src/extra/e.h", "\n");
    project.write("src/f.h", "\n");
    project.write("tools/g.cpp", "#include \"base/options.h\"\n#include \"pages/runs.h\"\n");
    const violations expected = {
        "include/lowtide/lowtide.h:2: may not include \"base/bits.h\"",
        "src/base/a.h:1: may not include \"../os/vm.h\"",
        "src/base/a.h:2: includes by way of a macro",
        "src/base/a.h:3: may not include <lowtide/lowtide.h>",
        "src/extra/e.h:1: is in a folder that the design does not know",
        "src/f.h:1: is in a folder that the design does not know",
        "src/os/b.cpp:2: may not include \"vm.h\"",
        "src/slab/c.cpp:1: speaks to the system itself with <sys/mman.h>: only src/os does",
        "tools/g.cpp:2: may not include \"pages/runs.h\"",
    };
    EXPECT_EQ(include_violations(project.path()), expected);
}

} // namespace
} // namespace lowtide::test
