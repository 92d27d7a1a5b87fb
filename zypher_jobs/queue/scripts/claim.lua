-- Takes up to `room` due predictions under a lease each.
-- KEYS  the queues, in order of preference
-- ARGV  1 worker id  2 room  3 lease ms  4 retry-count ttl ms  5 a number that changes from claim to claim
-- Returns {now ms, ms until the next deferred one or -1, {id, queue, score, attempt, token, job or false, lost, expired}, …}.
-- Invariant: what has an in-progress key, whoever wrote it, is not taken; the token holds the attempt, which only rises.
--         Of ten places six prefer the first queue, three the second, one the third: none starves. In a queue, turns and what
--         fell due by time (deferred, retried, enqueued by arq's own client, lapsed leases) alternate.
local now, exactly = clock()
local room, lease_ms = tonumber(ARGV[2]), tonumber(ARGV[3])
local preferences = {{1, 2, 3}, {1, 2, 3}, {1, 2, 3}, {1, 2, 3}, {1, 2, 3}, {1, 2, 3}, {2, 1, 3}, {2, 1, 3}, {2, 1, 3}, {3, 1, 2}}
local CHUNK = 128

-- The ids of a range that nobody holds. Nothing is written while it reads, so that offsets stay true.
local function unheld(queue, from, to)
  local found, at, offset, more = {}, 1, 0, true
  return function()
    while true do
      if found[at] == nil then
        if not more then return nil end
        local chunk = math.min(CHUNK, room)
        found, at = redis.call('ZRANGEBYSCORE', queue, from, to, 'WITHSCORES', 'LIMIT', offset, chunk), 1
        offset = offset + chunk
        more = #found == 2 * chunk
        if #found == 0 then return nil end
      end
      local id, score = found[at], tonumber(found[at + 1])
      at = at + 2
      if redis.call('EXISTS', IN_PROGRESS .. id) == 0 then return {id, queue, score} end
    end
  end
end

local function due(queue)
  if redis.call('SISMEMBER', PAUSED, queue) == 1 then return function() return nil end end
  local by_time = unheld(queue, string.format('%.0f', TURNS_END), string.format('%.17g', exactly))
  local by_turn = unheld(queue, '-inf', '(' .. string.format('%.0f', TURNS_END))
  return function()
    local one = by_time() or by_turn()
    by_time, by_turn = by_turn, by_time
    return one
  end
end

local sources = {}
for i, queue in ipairs(KEYS) do sources[i] = due(queue) end
local chosen = {}
for place = 1, room do
  local found
  for _, source in ipairs(preferences[(ARGV[5] + place) % 10 + 1]) do
    found = found or (sources[source] and sources[source]())
  end
  if not found then break end
  chosen[place] = found
end

local reply = {now, -1}
local served = {}
for _, one in ipairs(chosen) do
  local id, queue, score = one[1], one[2], one[3]
  reply[#reply + 1] = take(id, queue, ARGV[1], lease_ms, ARGV[4], now, score)
  if score < TURNS_END then served[queue] = math.max(served[queue] or 0, score) end
end
for queue, turn in pairs(served) do
  if turn > tonumber(redis.call('GET', TURN .. queue) or -1) then redis.call('SET', TURN .. queue, string.format('%.0f', turn)) end
  redis.call('ZREMRANGEBYSCORE', TURNS .. queue, '-inf', string.format('%.0f', turn))
end
if #chosen == room then
  -- this worker is full and may leave some behind: another one looks
  wake()
else
  for _, queue in ipairs(KEYS) do
    local later = redis.call('ZRANGEBYSCORE', queue, '(' .. string.format('%.17g', exactly), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
    if later[2] then
      local wait_ms = math.ceil(later[2] - exactly)
      if reply[2] < 0 or wait_ms < reply[2] then reply[2] = wait_ms end
    end
  end
end
return reply
