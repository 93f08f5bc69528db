-- What wrk sends and what it tells: whole requests from a file, in order, for a number of seconds.
--
-- When the time is over, or the file is when each request may be sent once, a connection that has its answer sends
-- nothing more (an empty request) and stays open. wrk itself runs a little longer, so that everything that was sent is
-- also answered, and nothing is on its way when it stops. The time of a run goes from the first request to the last
-- answer, and the count is wrk's own, which looks at each answer's status and at nothing else of it: a `response`
-- function would cost several times as much as the answer itself.

local ffi = require("ffi")
ffi.cdef("typedef struct { long s; long ns; } moment; int clock_gettime(int clock, moment *out);")
local moment = ffi.new("moment")
local MONOTONIC = 1

local function now()
    ffi.C.clock_gettime(MONOTONIC, moment)
    return tonumber(moment.s) + tonumber(moment.ns) / 1e9
end

local threads = {}

function setup(thread)
    thread:set("number", #threads)
    table.insert(threads, thread)
end

local requests, following, deadline, once
local rehearsed = false
sent, first, last = 0, 0, 0

-- Each thread takes its share of the requests: a length, a line feed, and that many bytes.
function init()
    local share, file = tonumber(os.getenv("BENCHMARK_THREADS")), assert(io.open(os.getenv("BENCHMARK_REQUESTS"), "rb"))
    once = os.getenv("BENCHMARK_ONCE") == "1"
    requests, following = {}, 1
    local index, length = 0, file:read("*n")
    while length do
        file:read(1)
        local text = file:read(length)
        if index % share == number then
            requests[#requests + 1] = text
        end
        index, length = index + 1, file:read("*n")
    end
    file:close()
end

function request()
    -- wrk asks the first thread for a request that it looks at and does not send.
    if number == 0 and not rehearsed then
        rehearsed = true
        return requests[1]
    end
    last = now()
    if sent == 0 then
        first, deadline = last, last + tonumber(os.getenv("BENCHMARK_SECONDS"))
    end
    if last >= deadline then
        return ""
    end
    if following > #requests then
        if once then
            return ""
        end
        following = 1
    end
    following, sent = following + 1, sent + 1
    return requests[following - 1]
end

function done(summary, latency)
    local all, from, to = 0, math.huge, 0
    for _, thread in ipairs(threads) do
        all, from, to = all + thread:get("sent"), math.min(from, thread:get("first")), math.max(to, thread:get("last"))
    end
    local errors = summary.errors
    io.write(string.format(
        '{"sent":%d,"answered":%d,"seconds":%.6f,"p50_ms":%.3f,"p99_ms":%.3f,' ..
        '"errors":{"status":%d,"connect":%d,"read":%d,"write":%d,"timeout":%d}}\n',
        all, summary.requests, to - from, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
        errors.status, errors.connect, errors.read, errors.write, errors.timeout))
end
