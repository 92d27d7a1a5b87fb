-- Prepended to what a worker with free places asks.

-- Registers a worker as idle, to be handed what is submitted next.
local function register(worker, places, lease_ms)
  redis.call('HSET', IDLE, worker, string.format('%d %d', places, lease_ms))
end

-- Ms until something falls due in queues of which nothing is due now, -1 for never: deferred, retried, or a lease that lapses.
local function next_due(queues, exactly)
  local next_ms = -1
  for _, queue in ipairs(queues) do
    local later = redis.call('ZRANGEBYSCORE', queue, '(' .. string.format('%.17g', exactly), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
    if later[2] then
      local wait_ms = math.ceil(later[2] - exactly)
      if next_ms < 0 or wait_ms < next_ms then next_ms = wait_ms end
    end
  end
  return next_ms
end

-- The same, and 0 if something is due, or looks so: what a stock arq worker runs keeps its old score.
local function first_due(queues, exactly)
  local first_ms = -1
  for _, queue in ipairs(queues) do
    local first = redis.call('ZRANGE', queue, 0, 0, 'WITHSCORES')
    if first[2] then
      local wait_ms = math.max(0, math.ceil(first[2] - exactly))
      if wait_ms == 0 and redis.call('SISMEMBER', PAUSED, queue) == 1 then
        wait_ms = next_due({queue}, exactly)
      end
      if wait_ms >= 0 and (first_ms < 0 or wait_ms < first_ms) then first_ms = wait_ms end
    end
  end
  return first_ms
end
