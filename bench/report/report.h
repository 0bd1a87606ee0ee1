// The three faces of a session's results.
#pragma once

#include "runner/history.h"
#include "runner/results.h"

#include <string>

namespace lowtide::bench {

/// Tables for a terminal or a file; with escape sequences for colours if asked for.
std::string text_report(const results& measured, bool colours);

/// What has changed since an earlier session, one line each; nothing means that there is none to compare
/// with.
std::string text_report(const std::optional<comparison>& since);

/// The schema is in bench/README.md.
std::string json_report(const results& measured);

/// One self-contained page that shows the JSON.
std::string html_report(const std::string& json);

/// Another one, with a flame graph of each run that was profiled.
std::string flame_report(const results& measured);

} // namespace lowtide::bench
