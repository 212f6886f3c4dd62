-- Drives examples/web under wrk: wrk -s web.lua URL -- KIND
--   health   GET /health
--   insert   POST /notes
--   checked  both in turn, and looks at every answer (which costs wrk time)
-- The last line that it prints is one JSON object.

local threads = {}

function setup(thread)
    table.insert(threads, thread)
end

function init(args)
    kind = args[1]
    count = 0
    inserted = 0
    wrong = 0
    health = wrk.format("GET", "/health")
    insert = wrk.format("POST", "/notes", { ["Content-Type"] = "text/plain" }, "a note")
    if kind == "checked" then
        response = check
    end
end

function request()
    count = count + 1
    if kind == "health" or (kind == "checked" and count % 2 == 0) then
        return health
    end
    return insert
end

function check(status, headers, body)
    if status == 201 and body:match("^%d+$") then
        inserted = inserted + 1
    elseif status ~= 200 or body ~= "well" then
        wrong = wrong + 1
    end
end

function done(summary, latency, requests)
    local inserted, wrong = 0, 0
    for _, thread in ipairs(threads) do
        inserted = inserted + thread:get("inserted")
        wrong = wrong + thread:get("wrong")
    end
    local errors = summary.errors
    local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
    io.write(string.format(
        '{"requests": %d, "failed": %d, "wrong": %d, "inserted": %d, '
            .. '"duration_us": %d, "p50_us": %d, "p99_us": %d}\n',
        summary.requests, failed, wrong, inserted,
        summary.duration, latency:percentile(50), latency:percentile(99)))
end
