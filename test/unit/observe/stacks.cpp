#include "observe/stacks.h"

#include "observe/unwind.h"
#include "os/registers.h"

#include <algorithm>
#include <execinfo.h>
#include <sstream>

namespace lowtide::test {

namespace {

uintptr_t ours[most_frames];
void* theirs[most_frames + 1]; // a sanitizer's own backtrace is one frame more
unsigned ours_count = 0;
unsigned theirs_count = 0;

} // namespace

[[gnu::noinline]] void compare_stacks() noexcept {
    ours_count = unwind(ours, most_frames);
    theirs_count = static_cast<unsigned>(backtrace(theirs, most_frames + 1));
}

std::vector<uintptr_t> last_stack() {
    return {ours, ours + ours_count};
}

std::string difference() {
    // Both have compare_stacks first, each at another call.
    std::vector<uintptr_t> wanted;
    for (unsigned i = 0; i < theirs_count; ++i)
        wanted.push_back(reinterpret_cast<uintptr_t>(theirs[i]));
    const std::vector<uintptr_t> got = last_stack();
    if (got.size() < 2)
        return "has no frames";
    const auto caller = std::find(wanted.begin(), wanted.end(), got[1]);
    wanted.erase(wanted.begin(), caller);
    wanted.resize(std::min(wanted.size(), size_t{most_frames - 1}));
    // Without rules, libc's frames behind main are as it likes them.
    const std::vector<uintptr_t> rest(got.begin() + 1, got.end());
    const size_t compared = os::has_frame_rules ? std::max(wanted.size(), rest.size()) : 2;
    std::ostringstream out;
    for (size_t i = 0; i < compared; ++i) {
        const uintptr_t a = i < rest.size() ? rest[i] : 0;
        const uintptr_t b = i < wanted.size() ? wanted[i] : 0;
        if (a != b)
            out << "frame " << i + 1 << " of " << got.size() << ": " << std::hex << a << " instead of " << b
                << std::dec << '\n';
    }
    return out.str();
}

} // namespace lowtide::test
