// Programs with more rights than their user (setuid, AT_SECURE): the environment, which is the user's,
// changes nothing: no option, no warning, no report written with the program's rights. The parts are linked
// to the library, since ld.so does not preload here; a process that has another effective user than real user
// at exec is what the kernel calls secure.
#include "harness.h"
#include "scratch.h"
#include "workload.h"

#include <filesystem>
#include <sys/auxv.h>
#include <sys/stat.h>

using namespace harness;
using namespace workload;

namespace {

constexpr uid_t kNobody = 65534;
std::string report_path;

void become_secure() {
    if (setresgid(kNobody, 0, 0) != 0 || setresuid(kNobody, 0, 0) != 0) {
        skip("only root can make a process secure");
    }
}

// The variables name a process: this one, whose id exec keeps.
void ask_for_report() {
    const std::string own = std::to_string(getpid());
    setenv("LOWTIDE_REPORT", (own + ":" + report_path).c_str(), 1);
}

void ask_for_report_securely() {
    ask_for_report();
    become_secure();
}

launch with_every_variable(void (*prepare)()) {
    return {.environment = {"LOWTIDE_CONF=nonsense:1,check:maybe"}, .prepare = prepare};
}

bool report_was_written() {
    return std::filesystem::exists(report_path);
}

} // namespace

PART(program) {
    REQUIRE(malloc_is_ours());
    use_every_size();
    say(getauxval(AT_SECURE) != 0 ? "secure\n" : "ordinary\n");
}

PROMISE_ON_GLIBC(a_secure_program_ignores_the_environment) {
    scratch_directory scratch;
    report_path = (scratch.path() / "report").string();
    outcome secure = run_part("program", with_every_variable(ask_for_report_securely));
    require_success(secure);
    REQUIRE(secure.out == "secure\n");
    REQUIRE(secure.err.empty());
    REQUIRE(!report_was_written());
}

// The same without privileges: otherwise the test above shows nothing.
PROMISE_ON_GLIBC(an_ordinary_program_obeys_the_environment) {
    scratch_directory scratch;
    report_path = (scratch.path() / "report").string();
    outcome ordinary = run_part("program", with_every_variable(ask_for_report));
    require_success(ordinary);
    REQUIRE(ordinary.out == "ordinary\n");
    REQUIRE(ordinary.err.find("lowtide: unknown option 'nonsense'") != std::string::npos);
    REQUIRE(ordinary.err.find("option 'check'") != std::string::npos);
    REQUIRE(report_was_written());
}

PROMISE_ON_GLIBC(a_setuid_copy_of_a_program_ignores_the_environment) {
    if (geteuid() != 0) {
        skip("only root can make a setuid program that another user runs");
    }
    scratch_directory scratch;
    report_path = (scratch.path() / "report").string();
    const std::string copy = (scratch.path() / "setuid-program").string();
    std::filesystem::copy_file(part_command("program")[0], copy);
    REQUIRE(chmod(copy.c_str(), 04755) == 0);
    REQUIRE(chmod(scratch.path().c_str(), 0755) == 0);
    launch how = with_every_variable([] {
        ask_for_report();
        REQUIRE(setresgid(kNobody, kNobody, kNobody) == 0 && setresuid(kNobody, kNobody, kNobody) == 0);
    });
    how.arguments = {copy, "program"};
    outcome secure = run(how);
    if (secure.out == "ordinary\n") {
        skip("the temporary directory does not honour setuid");
    }
    require_success(secure);
    REQUIRE(secure.out == "secure\n");
    REQUIRE(secure.err.empty());
    REQUIRE(!report_was_written());
}
