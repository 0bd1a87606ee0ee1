// Lua, whose every object is malloc's. One operation is one round of the script.
#include "programs/batch.h"

#include <fmt/format.h>

namespace lowtide::bench {

namespace {

/// Binary trees, one of them for long, tables with string keys, strings that are put together and taken
/// apart.
constexpr const char* script = R"(
local function tree(depth)
    if depth == 0 then return {} end
    return {tree(depth - 1), tree(depth - 1)}
end

local function count(node)
    return node[1] and 1 + count(node[1]) + count(node[2]) or 1
end

local function trees()
    local total = 0
    for depth = 4, 12, 4 do
        for _ = 1, 1 << (12 - depth) do total = total + count(tree(depth)) end
    end
    return total
end

local function words(round)
    local list, seen = {}, {}
    for i = 1, 4000 do
        local word = string.format("word-%d-%s", i * 7919 % 5003 + round, string.rep("x", i % 60))
        list[i] = word
        seen[word] = (seen[word] or 0) + i
    end
    table.sort(list)
    local sum = 0
    for number in table.concat(list, " "):gsub("%-x+", ""):gmatch("%d+") do sum = (sum + number) % 1000003 end
    for i = 1, #list do list[i] = {id = i, text = list[i]:upper():sub(1, i % 40), seen = seen[list[i]]} end
    for i = #list, 1, -40 do table.remove(list, i) end
    return sum + #list
end

local kept = tree(14)
for round = 1, tonumber(arg[1]) do print(trees(), words(round)) end
print(count(kept))
)";

} // namespace

void add_lua(benchmark_list& list, const program_settings& settings) {
    const unsigned rounds = settings.share(250);
    list.push_back(batch_benchmark({"lua/script", "programs", "Lua: binary trees, tables, strings"},
                                   {.program = "lua5.4",
                                    .package = "lua5.4",
                                    .arguments = {"script.lua", fmt::format("{}", rounds)},
                                    .files = {{"script.lua", script}},
                                    .operations = rounds},
                                   settings));
}

} // namespace lowtide::bench
