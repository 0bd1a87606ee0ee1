-- wrk's part of the nginx test: asks for a few paths in turn, compares every body with the file it must be, and says
-- at the end whether all were right. A server under test names the path in X-Uri, since answers are not tied to requests.
local paths = { "/1.txt", "/100.txt", "/4096.txt", "/70000.txt", "/upstream/4096.txt", "/upstream/70000.txt",
                "/rewritten/4096", "/1000000.txt", "/0.txt" }
local threads = {}

function setup(thread)
    table.insert(threads, thread)
end

function init(args)
    good, bad, nth, expected = 0, 0, 0, {}
    for _, path in ipairs(paths) do
        local name = path:match("%d+")
        local file = assert(io.open(args[1] .. "/" .. name .. ".txt", "rb"))
        expected[name] = file:read("*a")
        file:close()
    end
end

function request()
    nth = nth % #paths + 1
    return wrk.format("GET", paths[nth])
end

function response(status, headers, body)
    local uri = headers["X-Uri"]
    if status == 200 and uri and body == expected[uri:match("%d+")] then
        good = good + 1
    else
        bad = bad + 1
    end
end

function done(summary)
    local good, bad, errors = 0, 0, 0
    for _, thread in ipairs(threads) do
        good = good + thread:get("good")
        bad = bad + thread:get("bad")
    end
    for kind, count in pairs(summary.errors) do
        errors = errors + count
        if count > 0 then print(kind .. " errors: " .. count) end
    end
    print(good .. " good answers, " .. bad .. " bad ones")
    print("checked: " .. ((good > 0 and bad == 0 and errors == 0) and "all bodies right" or "FAILED"))
end
