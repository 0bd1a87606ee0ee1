// A directory for the files of one test, removed at the end; and copies of a library in it, each of which
// ld.so takes for a library of its own.
#pragma once

#include "harness.h"

#include <filesystem>
#include <string>

class scratch_directory {
public:
    scratch_directory() {
        std::string name = (std::filesystem::temp_directory_path() / "lowtide-test-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    scratch_directory(const scratch_directory&) = delete;
    scratch_directory& operator=(const scratch_directory&) = delete;
    ~scratch_directory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    const std::filesystem::path& path() const { return path_; }
    std::string copy_of(const std::string& library, int number) const {
        std::filesystem::path copy = path_ / ("copy-" + std::to_string(number) + ".so");
        if (!std::filesystem::exists(copy)) {
            std::filesystem::copy_file(library, copy);
        }
        return copy.string();
    }

private:
    std::filesystem::path path_;
};
