-- Prepended to what a worker with free places asks.

-- Registers a worker as idle, to be handed what is submitted next.
local function register(worker, places, lease_ms)
  redis.call('HSET', IDLE, worker, string.format('%d %d', places, lease_ms))
  redis.call('PEXPIRE', IDLE, IDLE_TTL_MS)
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

-- Whether something is due, or looks so: what a stock arq worker runs keeps its old score.
local function looks_due(queues, exactly)
  for _, queue in ipairs(queues) do
    local first = redis.call('ZRANGE', queue, 0, 0, 'WITHSCORES')
    if first[2] and tonumber(first[2]) <= exactly and redis.call('SISMEMBER', PAUSED, queue) == 0 then return true end
  end
  return false
end
