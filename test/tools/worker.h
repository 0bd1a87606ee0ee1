// A process on Lowtide for tests to ask: fixtures/works.c.
#pragma once

#include <string>
#include <sys/types.h>

namespace lowtide::test {

/// Works until the end of this object; `how` is "busy" or "idle".
class worker {
public:
    explicit worker(int threads, const char* configuration = "decay:-1", const char* how = "busy");
    ~worker() { end(); }
    worker(const worker&) = delete;
    worker& operator=(const worker&) = delete;

    /// Its exit status, as waitpid tells it.
    int end();
    pid_t pid() const { return pid_; }
    std::string mailbox() const { return "/dev/shm/lowtide." + std::to_string(pid_); }

private:
    pid_t pid_;
    int input_;
};

} // namespace lowtide::test
