-- For wrk: asks about one of many tokens, as a gateway does.
-- The environment names a file of tokens, one a line, and the caller's own token.

local tokens = {}
local file = os.getenv("CLAWGRANT_TOKENS")
if not file then error("CLAWGRANT_TOKENS names no file of tokens") end
for line in io.lines(file) do tokens[#tokens + 1] = line end

local number = 0
local headers = {
    ["content-type"] = "application/x-www-form-urlencoded",
    ["authorization"] = "Bearer " .. os.getenv("CLAWGRANT_CALLER"),
}

function request()
    number = number % #tokens + 1
    return wrk.format("POST", nil, headers, "token=" .. tokens[number])
end

local threads = {}
function setup(thread) threads[#threads + 1] = thread end

-- Counted by thread, so that what is not "active" cannot pass for speed.
inactive = 0
function response(status, _, body)
    if status ~= 200 or body:sub(1, 14) ~= '{"active":true' then inactive = inactive + 1 end
end

function done()
    local sum = 0
    for _, thread in ipairs(threads) do sum = sum + thread:get("inactive") end
    print("answers that were not active: " .. sum)
end
