// nginx: one process of it serves a page on 127.0.0.1 to wrk.
#include "programs/server.h"
#include "programs/sockets.h"
#include "programs/tools.h"
#include "programs/unprivileged.h"
#include "runner/errors.h"

#include <fmt/format.h>

namespace lowtide::bench {

namespace fs = std::filesystem;

namespace {

/// Three ways to the same page; the proxied one goes through nginx twice. A connection ends after a hundred
/// requests.
std::string configuration(std::uint16_t port, const fs::path& directory) {
    return fmt::format(R"(
daemon off;
master_process off;
pid {1}/pid;
error_log {1}/errors crit;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {1}/body;
    proxy_temp_path {1}/proxy;
    fastcgi_temp_path {1}/fastcgi;
    uwsgi_temp_path {1}/uwsgi;
    scgi_temp_path {1}/scgi;
    keepalive_requests 100;
    root {1};
    default_type text/html;
    server {{
        listen 127.0.0.1:{0};
        location /static/ {{ alias {1}/; }}
        location /gzip/ {{ alias {1}/; gzip on; gzip_comp_level 1; }}
        location /proxy/ {{ proxy_pass http://unix:{1}/upstream:/; }}
    }}
    server {{ listen unix:{1}/upstream; }}
}}
)",
                       port, directory.string());
}

/// Some 16 KiB that can be compressed.
std::string page() {
    std::string text;
    for (unsigned line = 0; line < 250; ++line)
        text += fmt::format("<p>Line {} of this page says {:08x}, and that is all that it says.</p>\n", line,
                            line * 2654435761u);
    return text;
}

class nginx final : public benchmark {
public:
    nginx(description about, std::string location, unsigned duration, const program_settings& settings)
        : benchmark(std::move(about)), location_(std::move(location)), duration_(duration),
          settings_(settings) {}

    std::optional<std::string> unavailable() const override {
        return missing({server_, client_}, "nginx or wrk", "packages nginx and wrk");
    }

    measurement run(const allocator& allocator) override {
        const witnessed on(allocator, settings_);
        const fs::path& directory = on.directory();
        const std::uint16_t port = free_port();
        write_file(directory / "page.html", page());
        write_file(directory / "nginx.conf", configuration(port, directory));
        user_.give(directory);
        return measure({.name = "nginx",
                        .what = user_.own(on.prepare({server_, "-p", directory, "-e", directory / "errors",
                                                      "-c", directory / "nginx.conf"})),
                        .stop = SIGQUIT,
                        .answers = [port] { return accepts(port); },
                        .load = [this, port] { return load(port); }},
                       on, settings_.processes);
    }

private:
    /// Requests per second.
    double load(std::uint16_t port) const {
        const std::string report =
            run_to_end({.words = {client_, "-t", "1", "-c", "32", "-d", fmt::format("{}s", duration_), "-H",
                                  "Accept-Encoding: gzip",
                                  fmt::format("http://127.0.0.1:{}/{}/page.html", port, location_)}},
                       settings_.processes)
                .output;
        for (const char* const trouble : {"Socket errors:", "Non-2xx"})
            if (report.find(trouble) != std::string::npos)
                throw run_failed(fmt::format("wrk: {}", report));
        return number_after({"Requests/sec:"}, report);
    }

    std::string location_;
    unsigned duration_; // in seconds
    const program_settings& settings_;
    unprivileged user_;
    fs::path server_ = find_program("/usr/sbin/nginx"); // where PATH need not lead
    fs::path client_ = find_program("wrk");
};

} // namespace

void add_nginx(benchmark_list& list, const program_settings& settings) {
    const auto add = [&](const std::string& location, const std::string& what) {
        list.push_back(std::make_unique<nginx>(
            description{"nginx/" + location, "programs",
                        fmt::format("nginx under wrk: a page of 16 KiB, {}, on 32 connections", what)},
            location, settings.share(4), settings));
    };
    add("static", "as it is");
    add("gzip", "compressed");
    add("proxy", "by way of another server");
}

} // namespace lowtide::bench
