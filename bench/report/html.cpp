// The HTML report: the page's parts (see assets.S) and the JSON, put into one file.
#include "report/assemble.h"
#include "report/report.h"

extern "C" {
extern const char lowtide_bench_page_html[];
extern const char lowtide_bench_page_css[];
extern const char lowtide_bench_page_js[];
extern const char lowtide_bench_uplot_css[];
extern const char lowtide_bench_uplot_js[];
}

namespace lowtide::bench {

std::string html_report(const std::string& json) {
    return assemble(lowtide_bench_page_html, {{"uplot.css", lowtide_bench_uplot_css},
                                              {"page.css", lowtide_bench_page_css},
                                              {"uplot.js", lowtide_bench_uplot_js},
                                              {"page.js", lowtide_bench_page_js},
                                              {"results.json", for_script(json)}});
}

} // namespace lowtide::bench
