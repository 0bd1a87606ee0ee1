// The account in a file, written anew every so many seconds (option `account`): for collectors that look into
// a folder, as Prometheus' node_exporter does. The file is PID.prom in /run/lowtide, or where the variable
// LOWTIDE_ACCOUNT_DIR says; it is complete whenever somebody reads it, and gone when the process has ended in
// the usual way. Not under AT_SECURE.
//
// One thread at a time writes: the background thread, or, where there is none, who makes a slow call.
#pragma once

#include "os/mutex.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lowtide {

constexpr std::string_view account_folder = "/run/lowtide";
constexpr std::string_view account_folder_variable = "LOWTIDE_ACCOUNT_DIR";

class account_file {
public:
    constexpr account_file() = default;

    // Before others use it.
    [[gnu::cold]] void set_folder(std::string_view folder) noexcept;

    // Writes it if the last time was `seconds` ago or more. 0: never.
    void write_if_due(uint32_t seconds, uint64_t now_ms) noexcept {
        if (seconds != 0 && now_ms >= next_ms_.load(std::memory_order_relaxed)) [[unlikely]]
            write(seconds, now_ms);
    }
    // At the end of the process.
    void remove() noexcept {
        if (written_by_.load(std::memory_order_relaxed) != 0) [[unlikely]]
            remove_own();
    }

private:
    static constexpr size_t most_folder = 200;

    [[gnu::cold]] void write(uint32_t seconds, uint64_t now_ms) noexcept;
    [[nodiscard, gnu::cold]] bool make_path(char* to, size_t size, const char* behind) const noexcept;
    [[gnu::cold]] void remove_own() noexcept;
    [[gnu::cold]] void complain(const char* path) noexcept;

    char folder_[most_folder]{};
    bool too_long_ = false;
    os::mutex writing_;
    std::atomic<uint64_t> next_ms_{0};
    std::atomic<size_t> written_by_{0}; // the process; 0: there is none
    bool complained_ = false;
};

} // namespace lowtide
