#include "worker.h"

#include <cstdlib>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lowtide::test {

worker::worker(int threads, const char* configuration, const char* how) {
    int input[2];
    int output[2];
    EXPECT_EQ(pipe2(input, O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(output, O_CLOEXEC), 0);
    pid_ = fork();
    if (pid_ == 0) {
        dup2(input[0], 0);
        dup2(output[1], 1);
        setenv("LD_PRELOAD", LOWTIDE_LIBRARY, 1);
        setenv("LOWTIDE_CONF", configuration, 1);
        const std::string number = std::to_string(threads);
        execl(LOWTIDE_FIXTURES "/works", "works", number.c_str(), how, nullptr);
        _exit(127);
    }
    close(input[0]);
    close(output[1]);
    input_ = input[1];
    char text[32];
    EXPECT_GT(read(output[0], text, sizeof(text)), 0) << "it has begun to work";
    close(output[0]);
}

int worker::end() {
    int status = 0;
    if (pid_ > 0) {
        close(input_);
        waitpid(pid_, &status, 0);
        pid_ = 0;
    }
    return status;
}

} // namespace lowtide::test
