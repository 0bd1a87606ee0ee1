// The HTML report: the page's parts (see assets.S) and the JSON, put into one file.
#include "report/report.h"

extern "C" {
extern const char lowtide_bench_page_html[];
extern const char lowtide_bench_page_css[];
extern const char lowtide_bench_page_js[];
extern const char lowtide_bench_uplot_css[];
extern const char lowtide_bench_uplot_js[];
}

namespace lowtide::bench {

namespace {

/// The page has each mark exactly once.
void put(std::string& page, const std::string& mark, const std::string& text) {
    page.replace(page.find(mark), mark.size(), text);
}

/// Inside a script element, nothing may look like its end.
std::string for_script(const std::string& json) {
    std::string safe;
    for (const char c : json)
        if (c == '<')
            safe += "\\u003c";
        else
            safe += c;
    return safe;
}

} // namespace

std::string html_report(const std::string& json) {
    std::string page = lowtide_bench_page_html;
    put(page, "{{uplot.css}}", lowtide_bench_uplot_css);
    put(page, "{{page.css}}", lowtide_bench_page_css);
    put(page, "{{uplot.js}}", lowtide_bench_uplot_js);
    put(page, "{{page.js}}", lowtide_bench_page_js);
    // Last, so that no mark in a user's text is ever taken for one of the page's.
    put(page, "{{results.json}}", for_script(json));
    return page;
}

} // namespace lowtide::bench
