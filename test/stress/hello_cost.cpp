// What a hello world costs on Lowtide, in resident memory, over the same program on the C library's malloc:
// at most 1.5 MiB. The least of several runs each, for what the kernel maps around a fault varies.
//
//   hello_cost HELLO LIBRARY
#include <algorithm>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr long most_kib = 1536;
constexpr int runs = 7;

struct cost {
    long resident = LONG_MAX; // KiB
    long own = LONG_MAX;
};

[[noreturn]] void fail(const char* what) {
    fprintf(stderr, "FAILED: %s\n", what);
    exit(1);
}

cost run(const char* program, const char* preload) {
    int ends[2];
    if (pipe(ends) != 0)
        fail("no pipe");
    const pid_t child = fork();
    if (child == 0) {
        const int nowhere = open("/dev/null", O_WRONLY);
        dup2(nowhere, STDOUT_FILENO);
        if (ends[1] != 3) {
            dup2(ends[1], 3);
            close(ends[1]);
        }
        unsetenv("LD_PRELOAD");
        if (preload != nullptr)
            setenv("LD_PRELOAD", preload, 1);
        execl(program, program, static_cast<char*>(nullptr));
        _exit(127);
    }
    close(ends[1]);
    char text[64] = {};
    const ssize_t length = read(ends[0], text, sizeof(text) - 1);
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    cost c;
    if (status != 0 || length <= 0 || sscanf(text, "%ld %ld", &c.resident, &c.own) != 2)
        fail("the program did not report");
    return c;
}

cost least(const char* program, const char* preload) {
    cost best;
    for (int i = 0; i < runs; ++i) {
        const cost c = run(program, preload);
        best = {std::min(best.resident, c.resident), std::min(best.own, c.own)};
    }
    return best;
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 3)
        fail("usage: hello_cost HELLO LIBRARY");
    const cost without = least(argv[1], nullptr);
    const cost with = least(argv[1], argv[2]);
    printf("hello world: %ld KiB resident (%ld its own); on lowtide %ld KiB (%ld)\n", without.resident,
           without.own, with.resident, with.own);
    if (with.resident == without.resident)
        fail("the library was not loaded");
    if (with.resident - without.resident > most_kib)
        fail("more than 1536 KiB on top");
}
