// A server under test: started, waited for until it answers, and ended in its own way.
#pragma once

#include "programs/witnessed.h"

#include <functional>

namespace lowtide::bench {

class server {
public:
    /// `stop` is the signal that makes it finish in order.
    server(const supervisor& processes, const launch& what, int stop)
        : processes_(processes), running_(processes.start(what)), stop_(stop) {}
    /// Lets it clean up after itself, whatever happened: PostgreSQL's processes are not all in its group.
    ~server();
    server(const server&) = delete;
    server& operator=(const server&) = delete;

    /// Returns once `answers` says true. Throws run_failed if the server ends before, or does not answer at
    /// all.
    void await(const std::function<bool()>& answers);

    /// Throws run_failed unless it ends as it should.
    ended stop();

private:
    const supervisor& processes_;
    child running_;
    int stop_;
};

/// A server, and what measures it.
struct service {
    std::string name; // of its processes
    launch what;
    int stop;
    std::function<bool()> answers;
    std::function<double()> load; // returns how much it did in a second
};

/// One run, from the server's start to its end.
measurement measure(const service& subject, const witnessed& on, const supervisor& processes);

} // namespace lowtide::bench
