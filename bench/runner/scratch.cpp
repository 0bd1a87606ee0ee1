// See scratch.h.
#include "runner/scratch.h"

#include <cerrno>
#include <cstdlib>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <sys/stat.h>
#include <system_error>

namespace lowtide::bench {

namespace fs = std::filesystem;

scratch::scratch() {
    std::string name = (fs::temp_directory_path() / "lowtide-bench.XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr)
        throw std::system_error(errno, std::generic_category(), "cannot make " + name);
    path_ = name;
    fs::permissions(path_, fs::perms{0755});
}

scratch::~scratch() {
    std::error_code ignored; // nothing can be done about it here, and the results matter more
    fs::remove_all(path_, ignored);
}

fs::path scratch::directory(const std::string& name) {
    const fs::path made = path_ / fmt::format("{}-{}", name, ++made_);
    fs::create_directory(made);
    return made;
}

void write_file(const fs::path& file, const std::string& text) {
    std::ofstream out(file, std::ios::binary);
    out << text << std::flush;
    if (!out)
        throw std::runtime_error("cannot write " + file.string());
}

std::string read_file(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    if (!in)
        throw std::runtime_error("cannot read " + file.string());
    return {std::istreambuf_iterator<char>(in), {}};
}

} // namespace lowtide::bench
