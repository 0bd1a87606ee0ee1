// Where a server listens: a port of 127.0.0.1, or a Unix socket.
#pragma once

#include <cstdint>
#include <filesystem>

namespace lowtide::bench {

/// One that nobody listens on. Somebody may be quicker than the server; then that run fails and says so.
std::uint16_t free_port();

/// Whether somebody listens there.
bool accepts(std::uint16_t port);
bool accepts(const std::filesystem::path& socket);

} // namespace lowtide::bench
