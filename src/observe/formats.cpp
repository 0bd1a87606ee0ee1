#include "observe/formats.h"

#include "observe/ledger.h"
#include "os/machine.h"

namespace lowtide {

namespace {

// Bytes of the UTF-8 sequence that `text` begins with; 0: it is none.
size_t sequence_at(const unsigned char* text) noexcept {
    const size_t length = text[0] < 0x80                      ? 1
                          : text[0] >= 0xc2 && text[0] < 0xe0 ? 2
                          : text[0] >= 0xe0 && text[0] < 0xf0 ? 3
                          : text[0] >= 0xf0 && text[0] < 0xf5 ? 4
                                                              : 0;
    for (size_t i = 1; i < length; ++i)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    const bool too_long = (text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xf0 && text[1] < 0x90);
    const bool surrogate = text[0] == 0xed && text[1] >= 0xa0;
    const bool beyond = text[0] == 0xf4 && text[1] >= 0x90;
    return too_long || surrogate || beyond ? 0 : length;
}

// A name in quotation marks: what would end it, and what isn't text, is written so that it is harmless in
// both formats. OpenMetrics has no escapes for control characters.
void print_quoted(printer& out, const char* name) noexcept {
    out.print("\"");
    for (const auto* at = reinterpret_cast<const unsigned char*>(name); *at != 0;) {
        const size_t length = sequence_at(at);
        if (*at == '"' || *at == '\\')
            out.print("\\{}", static_cast<char>(*at));
        else if (length == 0 || *at < ' ' || *at == 0x7f)
            out.print("?");
        else
            out.print("{}", std::string_view(reinterpret_cast<const char*>(at), length));
        at += length == 0 ? 1 : length;
    }
    out.print("\"");
}

struct comma_list {
    printer& out;
    bool any = false;
    printer& next() noexcept {
        out.print("{}", any ? ",\n" : "\n");
        any = true;
        return out;
    }
};

void print_portion(printer& out, const char* name, const portion& p) noexcept {
    out.print("\"{}\":{{\"bytes\":{},\"resident_bytes\":{}}}", name, p.bytes, p.resident);
}

size_t live_bytes(const ledger& l) noexcept {
    return l.of(category::live).bytes + l.of(category::huge).bytes;
}

size_t waste_bytes(const ledger& l) noexcept {
    return static_cast<size_t>(l.waste_share * static_cast<double>(live_bytes(l)));
}

void print_limit(printer& out, const char* name, size_t bytes) noexcept {
    if (bytes == SIZE_MAX)
        out.print("\"{}\":null,", name);
    else
        out.print("\"{}\":{},", name, bytes);
}

size_t held_of(const named_ledger& n) noexcept {
    return n.is_pool ? n.in_use.bytes / n.object_size : n.live;
}

} // namespace

void print_json(printer& out, const ledger& l) noexcept {
    const account& a = l.counters;
    out.print("{{\"lowtide_account\":1,\n\"version\":\"{}\",\"pid\":{},\"taken_ns\":{},\"cost_ns\":{},\n",
              LOWTIDE_VERSION, os::process_id(), l.taken_ns, l.cost_ns)
        .print("\"resident_bytes\":{},\"swapped_bytes\":{},\"reserved_bytes\":{},\"committed_bytes\":{},\n",
               l.process.all, l.process.swapped, a.pages.reserved_bytes, a.pages.committed_bytes)
        .print("\"returned_bytes_total\":{},\"purges_total\":{},\"huge_pages_made_total\":{},\n",
               a.returned_bytes, a.pages.purge_calls, a.pages.collapsed_blocks)
        .print("\"held_bytes\":{},", a.held_bytes);
    print_limit(out, "soft_limit_bytes", a.soft_limit);
    print_limit(out, "hard_limit_bytes", a.hard_limit);
    if (l.waste_samples == 0)
        out.print("\n\"requested\":null,");
    else
        out.print("\n\"requested\":{{\"bytes\":{},\"waste_bytes\":{},\"samples\":{}}},",
                  live_bytes(l) - waste_bytes(l), waste_bytes(l), l.waste_samples);
    out.print("\n\"parts\":{{");
    comma_list parts{out};
    for (unsigned i = 0; i < category_count; ++i) {
        const auto c = static_cast<category>(i);
        print_portion(parts.next(), name_of(c).name, l.of(c));
    }
    out.print("}},\n\"classes\":[");
    comma_list classes{out};
    for (unsigned i = 1; i < all_classes; ++i) {
        const class_account& n = a.classes[i];
        if (n.objects == 0)
            continue;
        classes.next().print("{{\"size\":{},\"slabs\":{},\"room\":{},\"live\":{},\"cached\":{},", n.size,
                             n.slabs, n.objects, n.live, n.cached);
        print_portion(out, "used", l.classes[i].used);
        out.print(",");
        print_portion(out, "free", l.classes[i].free);
        out.print("}}");
    }
    out.print("],\n\"larger\":{{\"runs\":{},\"bytes\":{},\"resident_bytes\":{},\"huge\":{}}},\n",
              a.large_count, l.classes[0].used.bytes, l.classes[0].used.resident, a.huge_count);
    for (const bool pools : {true, false}) {
        out.print("{}", pools ? "\"pools\":[" : "],\n\"heaps\":[");
        comma_list named{out};
        for (const named_ledger& n : l) {
            if (n.is_pool != pools)
                continue;
            named.next().print("{{\"name\":");
            print_quoted(out, n.name);
            if (pools)
                out.print(",\"block_bytes\":{}", n.object_size);
            out.print(",\"{}\":{},", pools ? "taken" : "live", held_of(n));
            print_portion(out, "used", n.in_use);
            out.print(",");
            print_portion(out, "free", n.free);
            out.print("}}");
        }
    }
    out.print("],\n\"unnamed\":{}}}\n", l.lost_named());
}

namespace {

void begin_family(printer& out, const char* name, const char* type, const char* unit,
                  const char* help) noexcept {
    out.print("# TYPE {} {}\n", name, type);
    if (unit[0] != '\0')
        out.print("# UNIT {} {}\n", name, unit);
    out.print("# HELP {} {}\n", name, help);
}

void print_single(printer& out, const char* name, const char* unit, size_t value, const char* help) noexcept {
    begin_family(out, name, "gauge", unit, help);
    out.print("{} {}\n", name, value);
}

void print_total(printer& out, const char* name, const char* unit, size_t value, const char* help) noexcept {
    begin_family(out, name, "counter", unit, help);
    out.print("{}_total {}\n", name, value);
}

void print_classes(printer& out, const ledger& l) noexcept {
    begin_family(out, "lowtide_class_objects", "gauge", "", "Objects of each size class.");
    for (unsigned i = 1; i < all_classes; ++i) {
        const class_account& n = l.counters.classes[i];
        if (n.objects == 0)
            continue;
        out.print("lowtide_class_objects{{size=\"{}\",state=\"live\"}} {}\n", n.size, n.live)
            .print("lowtide_class_objects{{size=\"{}\",state=\"cached\"}} {}\n", n.size, n.cached)
            .print("lowtide_class_objects{{size=\"{}\",state=\"free\"}} {}\n", n.size,
                   n.objects - n.live - n.cached);
    }
    begin_family(out, "lowtide_class_resident_bytes", "gauge", "bytes",
                 "Memory of each size class that is resident.");
    for (unsigned i = 1; i < all_classes; ++i) {
        if (l.counters.classes[i].objects == 0)
            continue;
        const size_t size = l.counters.classes[i].size;
        out.print("lowtide_class_resident_bytes{{size=\"{}\",state=\"used\"}} {}\n", size,
                  l.classes[i].used.resident)
            .print("lowtide_class_resident_bytes{{size=\"{}\",state=\"free\"}} {}\n", size,
                   l.classes[i].free.resident);
    }
}

// Two may have one name: their number tells them apart.
void print_named(printer& out, const ledger& l, bool pools) noexcept {
    const char* what = pools ? "pool" : "heap";
    char family[40];
    printer name(family);
    name.print("lowtide_{}_resident_bytes", what);
    family[name.text().size()] = '\0';
    begin_family(out, family, "gauge", "bytes",
                 pools ? "Memory of block pools that is resident." : "Memory of heaps that is resident.");
    size_t number = 0;
    for (const named_ledger& n : l) {
        if (n.is_pool != pools)
            continue;
        ++number;
        for (const bool used : {true, false}) {
            out.print("{}{{{}=", family, what);
            print_quoted(out, n.name);
            out.print(",number=\"{}\",state=\"{}\"}} {}\n", number, used ? "used" : "free",
                      (used ? n.in_use : n.free).resident);
        }
    }
}

} // namespace

void print_openmetrics(printer& out, const ledger& l) noexcept {
    const account& a = l.counters;
    begin_family(out, "lowtide", "info", "", "The allocator.");
    out.print("lowtide_info{{version=\"{}\"}} 1\n", LOWTIDE_VERSION);
    print_single(out, "lowtide_process_resident_bytes", "bytes", l.process.all,
                 "Memory of the process that is resident; the sum of lowtide_resident_bytes.");
    begin_family(out, "lowtide_resident_bytes", "gauge", "bytes", "What is resident, and what for.");
    for (unsigned i = 0; i < category_count; ++i) {
        const auto c = static_cast<category>(i);
        out.print("lowtide_resident_bytes{{part=\"{}\"}} {}\n", name_of(c).name, l.of(c).resident);
    }
    begin_family(out, "lowtide_bytes", "gauge", "bytes", "The same with what isn't resident.");
    for (unsigned i = 0; i < static_cast<unsigned>(category::files); ++i) {
        const auto c = static_cast<category>(i);
        out.print("lowtide_bytes{{part=\"{}\"}} {}\n", name_of(c).name, l.of(c).bytes);
    }
    print_single(out, "lowtide_swapped_bytes", "bytes", l.process.swapped, "Memory that is swapped out.");
    print_single(out, "lowtide_reserved_bytes", "bytes", a.pages.reserved_bytes, "Address space.");
    print_single(out, "lowtide_held_bytes", "bytes", a.held_bytes, "What the limits are about.");
    if (a.soft_limit != SIZE_MAX)
        print_single(out, "lowtide_soft_limit_bytes", "bytes", a.soft_limit,
                     "Above it what is free goes back first.");
    if (a.hard_limit != SIZE_MAX)
        print_single(out, "lowtide_hard_limit_bytes", "bytes", a.hard_limit, "Above it there is no memory.");
    if (l.waste_samples != 0)
        print_single(out, "lowtide_waste_bytes", "bytes", waste_bytes(l),
                     "Of live objects, what nobody asked for; estimated from samples.");
    print_total(out, "lowtide_returned_bytes", "bytes", a.returned_bytes, "Memory given back so far.");
    print_total(out, "lowtide_purges", "", a.pages.purge_calls, "Calls by which memory was given back.");
    print_classes(out, l);
    print_named(out, l, true);
    print_named(out, l, false);
    out.print("# EOF\n");
}

} // namespace lowtide
