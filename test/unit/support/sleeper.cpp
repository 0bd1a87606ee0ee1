#include "support/sleeper.h"

#include <chrono>
#include <fstream>
#include <string>
#include <sys/syscall.h>
#include <unistd.h>

namespace lowtide::test {

namespace {

// The state in /proc/self/task/<id>/stat, behind the name, which ends with the last parenthesis: 'S' is
// asleep.
char state_of(int id) {
    std::ifstream file("/proc/self/task/" + std::to_string(id) + "/stat");
    std::string line;
    std::getline(file, line);
    const size_t name_ends = line.rfind(')');
    return name_ends == std::string::npos ? '?' : line.at(name_ends + 2);
}

} // namespace

sleeper::sleeper(std::function<void()> action)
    : thread_([this, action = std::move(action)] {
          id_ = static_cast<int>(syscall(SYS_gettid));
          action();
      }) {}

bool sleeper::falls_asleep() const {
    using namespace std::chrono_literals;
    constexpr auto patience = 30s; // for a machine that is busy; a thread that sleeps is seen at once
    for (const auto begin = std::chrono::steady_clock::now();
         std::chrono::steady_clock::now() - begin < patience;) {
        if (id_ != 0 && state_of(id_) == 'S')
            return true;
        std::this_thread::sleep_for(1ms);
    }
    return false;
}

} // namespace lowtide::test
