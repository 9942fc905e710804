-- wrk's script: one path again and again, or each time the next of the words in a file put in the place of %s.
-- Arguments: path, file of words (may be empty), where to begin in it, body (empty: GET).
local path, body, words, at = nil, nil, {}, 0

function init(args)
  path, body = args[1], args[4]
  for line in io.lines(args[2]) do words[#words + 1] = line end
  at = tonumber(args[3])
  if body ~= "" then
    wrk.method, wrk.headers["Content-Type"] = "POST", "application/fhir+json"
  end
  if #words == 0 then same = wrk.format(nil, path, nil, body ~= "" and body or nil) end
end

function request()
  if same then return same end
  local word = words[at % #words + 1]
  at = at + 1
  local plain = word:gsub("%%", "%%%%")
  return wrk.format(nil, (path:gsub("%%s", plain)), nil, body ~= "" and body:gsub("%%s", plain) or nil)
end

function done(summary, latency)
  local wrong = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout
  io.write(string.format('{"requests": %d, "seconds": %f, "wrong": %d}\n', summary.requests, summary.duration / 1e6, wrong))
end
