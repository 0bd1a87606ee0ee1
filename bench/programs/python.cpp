// Python with every object on malloc. One operation is one round of the script.
#include "programs/batch.h"

#include <fmt/format.h>

namespace lowtide::bench {

namespace {

/// Documents to JSON and back, dictionaries, sorted lists, regular expressions, strings, objects, long
/// integers.
constexpr const char* script = R"python(
import json
import re
import sys


class Account:
    def __init__(self, owner):
        self.owner, self.entries = owner, []

    def book(self, amount):
        self.entries.append((amount, f"{self.owner} {amount:+d}"))
        return sum(entry[0] for entry in self.entries[-4:])


def documents(seed):
    return [{"id": i, "name": f"item {seed}/{i * 7919 % 1009}", "tags": [f"tag{i % 13}", f"tag{i * seed % 17}"],
             "values": [i * 1.5, i % 7 == 0, None, {"text": "x" * (i % 200)}]} for i in range(1500)]


def round_trip(seed):
    text = json.dumps(documents(seed))
    parsed = json.loads(text)
    by_name = {}
    for each in sorted(parsed, key=lambda each: (each["name"], -each["id"])):
        by_name.setdefault(each["name"], []).append(each)
    counts = {}
    for word in re.findall(r"[a-z]+ \d+/\d*7\b", text) + ["".join(each["tags"]) for each in parsed]:
        counts[word] = counts.get(word, 0) + 1
    report = "\n".join(f"{name}: {len(found)}" for name, found in by_name.items())
    report = re.sub(r"item (\d+)/(\d+)", lambda match: match[2] + "." + match[1], report).upper()
    return f"{len(text)} {len(report)} {report[-20:]} {sum(counts.values())} {len(counts)}"


def bookings():
    accounts = [Account(f"owner {i % 97}") for i in range(2000)]
    return sum(accounts[i * 31 % 2000].book(i % 1000 - 300) for i in range(6000))


for seed in range(1, int(sys.argv[1]) + 1):
    print(round_trip(seed), bookings(), pow(3, 2000 + seed) // 7 ** 1000 % 1000003)
)python";

} // namespace

void add_python(benchmark_list& list, const program_settings& settings) {
    const unsigned rounds = settings.share(100);
    list.push_back(batch_benchmark(
        {"python/script", "programs", "Python on malloc: JSON, dictionaries, sorting, strings, objects"},
        {.program = "/usr/bin/python3", // what is first in PATH may be a shell script that looks for one
         .package = "python3",
         .arguments = {"script.py", fmt::format("{}", rounds)},
         .files = {{"script.py", script}},
         .variables = {{"PYTHONMALLOC", "malloc"}},
         .operations = rounds},
        settings));
}

} // namespace lowtide::bench
