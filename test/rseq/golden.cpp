// The golden record of the fast paths: which instructions malloc, free, operator new and operator delete
// execute when the magazine has what they need, by kind, compared with golden.txt. A change shows here before
// it shows in a benchmark.
//
//   golden LIBRARY GOLDEN.TXT [--update]
#include "disassembly.h"
#include "library_symbols.h"

#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <regex>

using namespace rseq_test;

namespace {

constexpr const char* functions[][2] = {
    {"malloc", "malloc"},         {"free", "free"},
    {"operator new", "_Znwm"},    {"operator delete", "_ZdlPv"},
    {"free_sized", "free_sized"}, {"operator delete(p, size)", "_ZdlPvm"}};
constexpr uint64_t longest = 512; // bytes: far more than a fast path has

struct counts {
    unsigned instructions = 0;
    unsigned loads = 0;
    unsigned stores = 0;
    unsigned compares = 0;
    unsigned jumps = 0;
};

bool begins_with(const std::string& text, const char* start) {
    return text.compare(0, strlen(start), start) == 0;
}

// The mnemonic, and the operands with addresses replaced by the symbols that objdump found for them.
std::string readable(const std::string& text) {
    static const std::regex rip("0x[0-9a-f]+\\(%rip\\)(.*) # [0-9a-f]+ <([^>]+)>");
    static const std::regex target("^(j[a-z]+) [0-9a-f]+ <([^>]+)>");
    static const std::regex offset("\\+0x[0-9a-f]+$");
    std::string shown = std::regex_replace(text, rip, "$2(%rip)$1");
    shown = std::regex_replace(shown, target, "$1 $2");
    return begins_with(shown, "j") ? std::regex_replace(shown, offset, "") : shown;
}

// What a fast path must never do, whatever the record says.
void check(const char* function, const std::string& text) {
    const auto never = [&](bool found, const char* what) {
        if (found)
            fail("%s: %s: %s", function, what, text.c_str());
    };
    never(begins_with(text, "lock") || begins_with(text, "xchg") || begins_with(text, "cmpxchg"),
          "an atomic read-modify-write");
    never(begins_with(text, "call") || begins_with(text, "jmp"), "a call");
    never(begins_with(text, "push") || begins_with(text, "pop"), "a stack frame");
    // The two variables; anything else could be an entry of the global offset table.
    never(text.find("(%rip)") != std::string::npos && !begins_with(text, "lea ") &&
              text.find("lowtide_rseq_area(%rip)") == std::string::npos &&
              text.find("lowtide_delete_sizes(%rip)") == std::string::npos,
          "a load that isn't from lowtide_rseq_area or lowtide_delete_sizes");
    static const std::regex rseq_field("%fs:0x(4|8|18)\\(%r[a-z0-9]+\\)");
    never(text.find("%fs:") != std::string::npos && !std::regex_search(text, rseq_field),
          "thread-local memory that isn't the kernel's rseq area");
    never(text.find("%gs:") != std::string::npos, "a segment of someone else's");
}

void classify(const std::string& text, counts& n) {
    ++n.instructions;
    const bool compares = begins_with(text, "cmp") || begins_with(text, "test");
    const bool touches =
        text.find('(') != std::string::npos && !begins_with(text, "lea") && !begins_with(text, "nop");
    const bool stores = touches && text.back() == ')' && !compares;
    n.compares += compares ? 1 : 0;
    n.jumps += text[0] == 'j' ? 1 : 0;
    n.stores += stores ? 1 : 0;
    n.loads += touches && !(stores && begins_with(text, "mov")) ? 1 : 0;
}

// The straight path: from the entry to the first ret, no conditional jump taken.
std::string record(const std::string& library, const symbol_table& symbols, const char* function,
                   const char* symbol) {
    const uint64_t entry = address_of(symbols, symbol);
    counts n;
    std::string listing;
    for (const instruction& i : disassemble(library, entry, entry + longest)) {
        const std::string text = readable(i.text);
        check(function, text);
        classify(text, n);
        listing += "    " + text + "\n";
        if (begins_with(text, "ret"))
            break;
    }
    if (listing.find("    ret") == std::string::npos)
        fail("%s has no ret", function);
    char head[256];
    snprintf(head, sizeof(head), "%s: %u instructions, %u loads, %u stores, %u compares, %u jumps\n",
             function, n.instructions, n.loads, n.stores, n.compares, n.jumps);
    return head + listing + "\n";
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 3)
        fail("usage: golden LIBRARY GOLDEN.TXT [--update]");
    const symbol_table symbols = read_symbols(argv[1]);
    std::string now =
        "# The fast paths, instruction by instruction. Written by the target update_golden_record; read the\n"
        "# difference before you commit it.\n\n";
    for (const auto& f : functions)
        now += record(argv[1], symbols, f[0], f[1]);
    if (argc > 3 && strcmp(argv[3], "--update") == 0) {
        std::ofstream(argv[2]) << now;
        return 0;
    }
    std::ifstream file(argv[2]);
    const std::string golden{std::istreambuf_iterator<char>(file), {}};
    if (now == golden)
        return 0;
    printf("---- recorded\n%s---- now\n%s", golden.c_str(), now.c_str());
    fail("the fast paths are not what %s says (ninja update_golden_record, if that is meant)", argv[2]);
}
