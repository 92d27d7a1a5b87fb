-- Prepended to finish.lua and record.lua.
-- Counts one prediction that ended. wait_at and run_at are bucket numbers of zypher_jobs.queue.latency; without them no latency is counted. Sums are in microseconds.
local function tally(counts, latency, model, mode, status, wait_at, wait_us, run_at, run_us)
  redis.call('HINCRBY', counts, model .. '|' .. mode .. '|' .. status, 1)
  if not wait_at then return end
  local prefix = model .. '|' .. mode .. '|'
  redis.call('HINCRBY', latency, prefix .. 'wait|' .. wait_at, 1)
  redis.call('HINCRBY', latency, prefix .. 'wait|sum', wait_us)
  redis.call('HINCRBY', latency, prefix .. 'run|' .. run_at, 1)
  redis.call('HINCRBY', latency, prefix .. 'run|sum', run_us)
end
