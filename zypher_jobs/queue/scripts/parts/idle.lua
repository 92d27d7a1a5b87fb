-- Prepended to what gives idle workers something to do.
-- A worker that found less than it has room for stands in the hash IDLE, as "places lease-ms", and hears its channel. One message
-- takes it off: it stands there again once it has begun what the message brought and asked for more. So a worker whose event
-- loop is blocked by a model is handed one message at most, and what that held comes back when its lease lapses.
local WORKERS_AT_ONCE = 16

-- Those that wait and are connected, with what they are handed.
local function idle_workers()
  local found = redis.call('HRANDFIELD', IDLE, WORKERS_AT_ONCE, 'WITHVALUES')
  local idle = {}
  for i = 1, #found, 2 do
    if listeners(WORK .. found[i]) > 0 then
      local places, lease_ms = string.match(found[i + 1], '^(%d+) (%d+)$')
      idle[#idle + 1] = {id = found[i], places = tonumber(places), lease_ms = tonumber(lease_ms), rows = {}, jobs = {}, bytes = 0}
    else
      redis.call('HDEL', IDLE, found[i])
    end
  end
  return idle
end

-- They look for themselves: something fell due that was not handed to them.
local function wake()
  for _, worker in ipairs(idle_workers()) do
    redis.call('HDEL', IDLE, worker.id)
    redis.call('PUBLISH', WORK .. worker.id, '')
  end
end
