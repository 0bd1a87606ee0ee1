// A program that is given its work, does it, and ends: a compiler, a prover, an interpreter with a script.
#pragma once

#include "programs/programs.h"

#include <map>
#include <string>
#include <vector>

namespace lowtide::bench {

/// What is run, in an empty directory.
struct batch {
    std::string program{}; // a path where PATH may have another one first
    std::string package{}; // Debian's
    std::vector<std::string> arguments{};
    std::map<std::string, std::string> files{};     // that it finds in the directory: name and text
    std::string input{};                            // which of them is its standard input
    std::string result{};                           // the file that it writes, if not its standard output
    bool deterministic = true;                      // the result is the same each time
    std::map<std::string, std::string> variables{}; // in its environment
    std::string process{};                          // what does the work, if not the program itself
    unsigned operations = 1;
};

/// The time of an operation is that of the whole run, its start included.
std::unique_ptr<benchmark> batch_benchmark(description about, batch work, const program_settings& settings);

} // namespace lowtide::bench
