// What may stand at the end of an unfinished command line. The shells' own scripts (tools/completions) ask
// `lowtide --complete WORD…` for it, so they know no subcommand and no option, and never go out of date.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace lowtide::tools {

struct candidate {
    std::string word;
    std::string meaning;
};

/// The values of an argument that begin with `text`, which is what there is of it; by the argument's name, as
/// --help shows it. Other arguments are names of files, or numbers.
using value_lists = std::map<std::string, std::function<std::vector<candidate>(const std::string& text)>>;

/// The last of the words (those behind `lowtide`) is what there is of the one in question, perhaps "". Prints
/// a line for each word that it may become: the word, a tab, the meaning; or the line ":files" for the name
/// of a file.
void print_candidates(const CLI::App& app, const std::vector<std::string>& words, const value_lists& values);

/// Processes that have loaded liblowtide.so, as far as this user may know.
std::vector<candidate> processes_on_lowtide(const std::string& text);

/// key:value,… as in LOWTIDE_CONF.
std::vector<candidate> option_settings(const std::string& text);

} // namespace lowtide::tools
