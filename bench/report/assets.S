/* The parts of the HTML report, as they are in the source tree. */

    .section .rodata

    .macro asset name, file
    .global lowtide_bench_\name
    .hidden lowtide_bench_\name
    .type lowtide_bench_\name, %object
lowtide_bench_\name:
    .incbin "\file"
    .byte 0
    .size lowtide_bench_\name, . - lowtide_bench_\name
    .endm

    asset page_html, "report/page.html"
    asset page_css, "report/page.css"
    asset page_js, "report/page.js"
    asset flame_html, "report/flame.html"
    asset flame_css, "report/flame.css"
    asset flame_js, "report/flame.js"
    asset uplot_css, "third_party/uplot/uPlot.min.css"
    asset uplot_js, "third_party/uplot/uPlot.iife.min.js"
    asset flame_graph_js, "third_party/d3-flame-graph/d3-flame-graph.min.js"

    .section .note.GNU-stack, "", %progbits
