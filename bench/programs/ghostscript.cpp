// Ghostscript: a document becomes images. One operation is one page.
#include "programs/batch.h"

#include <fmt/format.h>

namespace lowtide::bench {

namespace {

/// Each page has shadings, curves, text in four fonts, and some work for the interpreter's own memory.
constexpr const char* document = R"(%!PS
/seed 1 def
/next { /seed seed 75 mul 74 add 65537 mod def seed } def % a number below 65537
/below { next exch mod } def
/fraction { next 65537 div } def
/shadings {
    6 {
        gsave 500 below 700 below translate newpath 0 0 100 0 360 arc clip
        << /ShadingType 3 /ColorSpace /DeviceRGB /Coords [0 0 0 0 0 100] /Extend [true true]
           /Function << /FunctionType 2 /Domain [0 1] /C0 [1 0 fraction] /C1 [0 1 0] /N 1 >> >> shfill
        grestore
    } repeat
} def
/point { 595 below 842 below } def
/curves {
    120 {
        newpath point moveto
        4 { point point point curveto } repeat
        fraction fraction fraction setrgbcolor
        5 below 0 eq { closepath fill }
        { 4 below 1 add 2 div setlinewidth [5 below 1 add 3] 0 setdash stroke } ifelse
    } repeat
} def
/word { 8 below 2 add string dup length 1 sub 0 exch 1 exch { 1 index exch 26 below 97 add put } for } def
/text {
    0 setgray
    1 1 60 {
        [/Times-Roman /Helvetica /Courier /Times-Italic] 4 below get findfont 6 below 7 add scalefont setfont
        40 800 3 -1 roll 12 mul sub moveto
        14 { word show ( ) show } repeat
    } for
} def
/objects { /table 1000 dict def 3000 { table 1000 below [10 below { next } repeat] put } repeat } def
pages { shadings curves text objects showpage } repeat
)";

} // namespace

void add_ghostscript(benchmark_list& list, const program_settings& settings) {
    const unsigned pages = settings.share(100);
    list.push_back(batch_benchmark(
        {"ghostscript/pages", "programs", "Ghostscript: pages of text, curves and shadings"},
        {.program = "gs",
         .package = "ghostscript",
         .arguments = {"-q", "-dBATCH", "-dNOPAUSE", "-sDEVICE=pgmraw", "-r50", "-sOutputFile=images",
                       fmt::format("-dpages={}", pages), "document.ps"},
         .files = {{"document.ps", document}},
         .result = "images",
         .operations = pages},
        settings));
}

} // namespace lowtide::bench
