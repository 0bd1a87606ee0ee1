// See sockets.h.
#include "programs/sockets.h"

#include "runner/errors.h"
#include "runner/process.h"

#include <arpa/inet.h>
#include <cstring>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace lowtide::bench {

namespace {

sockaddr_in at_port(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

descriptor stream_socket(int family) {
    return descriptor(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

template <typename Address>
bool connects(const Address& address, int family) {
    const descriptor probe = stream_socket(family);
    return connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

} // namespace

std::uint16_t free_port() {
    const descriptor probe = stream_socket(AF_INET);
    sockaddr_in address = at_port(0);
    socklen_t length = sizeof address;
    if (bind(probe.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 ||
        getsockname(probe.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0)
        throw run_failed("there is no free port on 127.0.0.1");
    return ntohs(address.sin_port);
}

bool accepts(std::uint16_t port) {
    return connects(at_port(port), AF_INET);
}

bool accepts(const std::filesystem::path& socket) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, socket.c_str(), sizeof address.sun_path - 1);
    return connects(address, AF_UNIX);
}

} // namespace lowtide::bench
