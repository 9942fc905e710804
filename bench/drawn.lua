-- wrk's script: one path again and again, or each time the next of the words in a file put in the place of %s.
-- Arguments: path, file of words (may be empty), where to begin in it, body (empty: GET), and how many milliseconds a
-- connection waits on average before each request (0: none); as callers come who know nothing of each other.
local path, body, words, at, wait = nil, nil, {}, 0, 0

function init(args)
  path, body, wait = args[1], args[4], tonumber(args[5])
  for line in io.lines(args[2]) do
    if line ~= "" then words[#words + 1] = line end
  end
  at = tonumber(args[3])
  if body ~= "" then
    wrk.method, wrk.headers["Content-Type"] = "POST", "application/fhir+json"
  end
  if #words == 0 then -- wrk itself sends what is always the same, without a word to Lua
    wrk.path, wrk.body, request = path, body ~= "" and body or nil, nil
  end
  if wait > 0 then
    math.randomseed(os.time() + at)
    delay = function() return math.floor(math.random() - wait * math.log(1 - math.random())) end
  end
end

-- The request for words of so many letters, in the pieces that stand around the word: to make each anew would cost as
-- much time of the same cores as a short answer.
local around = {}

local function pieces(letters)
  local mark, found, from = string.rep("\1", letters), {}, 1
  local made = wrk.format(nil, (path:gsub("%%s", mark)), nil, body ~= "" and body:gsub("%%s", mark) or nil)
  local start, last = made:find(mark, 1, true)
  while start do
    found[#found + 1] = made:sub(from, start - 1)
    from = last + 1
    start, last = made:find(mark, from, true)
  end
  found[#found + 1] = made:sub(from)
  around[letters] = found
  return found
end

function request()
  local word = words[at % #words + 1]
  at = at + 1
  return table.concat(around[#word] or pieces(#word), word)
end

function done(summary, latency)
  local wrong = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout
  io.write(string.format('{"requests": %d, "seconds": %f, "wrong": %d, "mean": %f, "p50": %f, "p99": %f}\n',
    summary.requests, summary.duration / 1e6, wrong,
    latency.mean / 1e3, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
