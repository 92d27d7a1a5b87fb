-- Prepended to finish.lua and record.lua: counts predictions that ended.
-- tally adds one up; write_tallies writes the sums, once for the whole script: five HINCRBY for each prediction, with their lines
-- in the append-only file, were half of its cost. Bucket numbers are those of zypher_jobs.queue.latency; without them no latency
-- is counted; a field `model|mode|at|wait.run.total` counts all three at once. Sums are in microseconds, the total's is theirs.
local counted, timed = {}, {}

local function add(sums, field, by)
  sums[field] = (sums[field] or 0) + by
end

local function tally(model, mode, status, wait_at, wait_us, run_at, run_us, total_at)
  local prefix = model .. '|' .. mode .. '|'
  add(counted, prefix .. status, 1)
  if not wait_at then return end
  add(timed, prefix .. 'at|' .. wait_at .. '.' .. run_at .. '.' .. total_at, 1)
  add(timed, prefix .. 'wait|sum', wait_us)
  add(timed, prefix .. 'run|sum', run_us)
end

local function write_tallies(counts, latency)
  for field, by in pairs(counted) do redis.call('HINCRBY', counts, field, by) end
  for field, by in pairs(timed) do redis.call('HINCRBY', latency, field, string.format('%.0f', by)) end
end
