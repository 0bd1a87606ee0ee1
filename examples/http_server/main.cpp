// An HTTP/1.1 server that keeps its memory in regions and a block pool, or, for comparison, in malloc.
//
//   http_server [--memory region|malloc] [--port N] [--threads N] [--timeout SECONDS]
//
// Says on which port of 127.0.0.1 it listens (0: any that is free). SIGTERM or SIGINT ends it, with one line
// of JSON on standard error: what it has done, and which memory it took.
#include "worker.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <dlfcn.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <string_view>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using server::memory_kind;

struct options {
    memory_kind memory = memory_kind::regions;
    int port = 8080;
    int threads = 1;
    int timeout_seconds = 30;
};

[[noreturn]] void usage() {
    std::fputs("usage: http_server [--memory region|malloc] [--port N] [--threads N] [--timeout SECONDS]\n",
               stderr);
    std::exit(2);
}

int number(const char* text, int least, int most) {
    char* end = nullptr;
    const long value = std::strtol(text, &end, 10);
    if (end == text || *end != '\0' || value < least || value > most)
        usage();
    return static_cast<int>(value);
}

options parse(int count, char** arguments) {
    const option known[] = {{"memory", required_argument, nullptr, 'm'},
                            {"port", required_argument, nullptr, 'p'},
                            {"threads", required_argument, nullptr, 't'},
                            {"timeout", required_argument, nullptr, 's'},
                            {nullptr, 0, nullptr, 0}};
    options o;
    for (int c; (c = getopt_long(count, arguments, "", known, nullptr)) != -1;) {
        const std::string_view value = optarg == nullptr ? "" : optarg;
        if (c == 'm' && (value == "region" || value == "malloc"))
            o.memory = value == "malloc" ? memory_kind::malloc : memory_kind::regions;
        else if (c == 'p')
            o.port = number(optarg, 0, 65535);
        else if (c == 't')
            o.threads = number(optarg, 1, 1024);
        else if (c == 's')
            o.timeout_seconds = number(optarg, 1, 3600);
        else
            usage();
    }
    if (optind != count)
        usage();
    return o;
}

int checked(int result, const char* what) {
    if (result < 0)
        throw std::system_error(errno, std::generic_category(), what);
    return result;
}

// A listening socket; says where.
int listen_on(int port) {
    const int fd = checked(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(port));
    socklen_t size = sizeof(address);
    checked(bind(fd, reinterpret_cast<sockaddr*>(&address), size), "bind");
    checked(listen(fd, SOMAXCONN), "listen");
    checked(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
    std::printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    std::fflush(stdout);
    return fd;
}

// The peak, as the kernel has it for this program alone: getrusage's is that of the shell as well which it
// was.
long peak_rss_kib() {
    std::FILE* status = std::fopen("/proc/self/status", "re");
    char line[256];
    long kib = 0;
    while (status != nullptr && std::fgets(line, sizeof(line), status) != nullptr)
        if (std::sscanf(line, "VmHWM: %ld", &kib) == 1)
            break;
    if (status != nullptr)
        std::fclose(status);
    return kib;
}

// The file that malloc is in, so that nobody compares what was not preloaded.
const char* malloc_file() {
    Dl_info info{};
    dladdr(reinterpret_cast<const void*>(&std::malloc), &info);
    return info.dli_fname == nullptr ? "" : info.dli_fname;
}

long milliseconds(const timeval& t) {
    return t.tv_sec * 1000 + t.tv_usec / 1000;
}

void report(const options& o, std::uint64_t answered, bool all_given_back) {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    std::fprintf(
        stderr,
        "{\"memory\":\"%s\",\"malloc\":\"%s\",\"requests\":%llu,\"peak_rss_kib\":%ld,\"minor_faults\":%ld,"
        "\"user_ms\":%ld,\"system_ms\":%ld,\"blocks_lost\":%s}\n",
        o.memory == memory_kind::malloc ? "malloc" : "region", malloc_file(),
        static_cast<unsigned long long>(answered), peak_rss_kib(), used.ru_minflt,
        milliseconds(used.ru_utime), milliseconds(used.ru_stime), all_given_back ? "false" : "true");
}

int serve(const options& o) {
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, nullptr); // for all threads to come

    server::body_blocks blocks(o.memory);
    server::worker::settings settings;
    settings.memory = o.memory;
    settings.timeout_seconds = o.timeout_seconds;
    settings.stop = checked(eventfd(0, EFD_CLOEXEC), "eventfd");
    settings.listener = listen_on(o.port);
    std::deque<server::worker> workers;
    std::vector<std::thread> threads;
    for (int i = 0; i < o.threads; ++i)
        workers.emplace_back(settings, blocks);
    for (server::worker& w : workers)
        threads.emplace_back([&w] { w.run(); });

    int signal = 0;
    sigwait(&ends, &signal);
    checked(eventfd_write(settings.stop, 1), "eventfd");
    for (std::thread& t : threads)
        t.join();
    std::uint64_t answered = 0;
    for (const server::worker& w : workers)
        answered += w.answered();
    const bool all_given_back = blocks.close();
    report(o, answered, all_given_back);
    return all_given_back ? 0 : 1;
}

} // namespace

int main(int count, char** arguments) {
    try {
        return serve(parse(count, arguments));
    } catch (const std::exception& e) {
        std::fprintf(stderr, "http_server: %s\n", e.what());
        return 1;
    }
}
