// `lowtide bench` without the rest of the command.
#include "bench/command.h"

#include <CLI/CLI.hpp>

int main(int count, char** words) {
    CLI::App app("lowtide");
    int exit_code = 0;
    lowtide::tools::add_bench_command(app, exit_code);
    CLI11_PARSE(app, count, words);
    return exit_code;
}
