// Where a run's time went: the samples of perf(1), folded into one tree of calls.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace lowtide::bench {

/// Whose code a function is.
enum class origin { program, allocator, kernel };

/// A function, called from where it hangs in the tree.
struct call {
    std::string name{};
    origin from = origin::program;
    std::size_t samples = 0; // in it and in what it called
    std::vector<call> callees{};
};

/// What `perf script -F comm,ip,sym,dso` says: for each sample a line with the thread's name, one for each
/// frame, the innermost first, and an empty one; a sample without that last line was cut off and doesn't
/// count. The root stands for all samples; below it are the threads' names, and the kernel's functions are
/// below a frame `[kernel]`. `library` is the allocator's file.
call fold(std::string_view script, const std::filesystem::path& library);

} // namespace lowtide::bench
