-- Takes up to `room` due predictions under a lease each; a worker that then has room left stands idle, to be handed what comes.
-- KEYS  the queues, in order of preference
-- ARGV  1 worker id  2 room  3 lease ms  4 retry-count ttl ms  5 a number that changes from claim to claim
--       6 places to be registered as idle with, 0 not to be  7 "idle" if it believes that it is registered, else ""
--       8 "1" if it runs a suspect (see take.lua)
-- Returns {now ms, ms until the next deferred one or -1, state, frame of rows as of take.lua}; state is
--         1 it is registered as idle, 0 it is not, 2 nothing was taken: a message with something is on its way to it.
-- Invariant: what has an in-progress key, whoever wrote it, is not taken; the token holds the worker and the attempt.
--         Of ten places six prefer the first queue, three the second, one the third: none starves. In a queue, turns and what
--         fell due by time (deferred, retried, enqueued by arq's own client, lapsed leases) alternate.
even_when_full()
local now, exactly = clock()
local worker, room, lease_ms, places = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[6])
local preferences = {{1, 2, 3}, {1, 2, 3}, {1, 2, 3}, {1, 2, 3}, {1, 2, 3}, {1, 2, 3}, {2, 1, 3}, {2, 1, 3}, {2, 1, 3}, {3, 1, 2}}
local CHUNK = 128

if redis.call('HDEL', IDLE, worker) == 0 and ARGV[7] ~= '' then return {now, -1, 2, ''} end

-- The ids of a range that nobody holds, in chunks. Nothing is written while it reads, so that offsets stay true.
local function unheld(queue, from, to)
  local found, at, offset, more = {}, 1, 0, true
  local function read()
    local chunk = math.min(CHUNK, room)
    local range = redis.call('ZRANGEBYSCORE', queue, from, to, 'WITHSCORES', 'LIMIT', offset, chunk)
    offset = offset + chunk
    more = #range == 2 * chunk
    found, at = {}, 1
    if #range == 0 then return end
    local leases = {}
    for i = 1, #range, 2 do leases[#leases + 1] = IN_PROGRESS .. range[i] end
    for i, holder in ipairs(redis.call('MGET', unpack(leases))) do
      if not holder then found[#found + 1] = {range[2 * i - 1], queue, tonumber(range[2 * i])} end
    end
  end
  return function()
    while found[at] == nil and more do read() end
    at = at + 1
    return found[at - 1]
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

local full = #chosen == room
-- by time came what was lost, retried, deferred: turns alone bring no suspects
local by_time = false
for _, one in ipairs(chosen) do by_time = by_time or one[3] >= TURNS_END end
if by_time then chosen = without_suspects(chosen, lease_ms, now, ARGV[8] == '1') end
local rows = take_all(chosen, worker, lease_ms, ARGV[4], now)
local served = {}
for _, one in ipairs(chosen) do
  if one[3] < TURNS_END then served[one[2]] = math.max(served[one[2]] or 0, one[3]) end
end
for queue, turn in pairs(served) do
  if turn > tonumber(redis.call('GET', TURN .. queue) or -1) then redis.call('SET', TURN .. queue, string.format('%.0f', turn)) end
  redis.call('ZREMRANGEBYSCORE', TURNS .. queue, '-inf', string.format('%.0f', turn))
end

local state = 0
if full then
  -- this worker is full and may leave some behind: others look
  wake()
  return {now, -1, state, rows}
end
-- whoever waits in these by turn was taken: the next to come begin anew
for _, queue in ipairs(KEYS) do
  if redis.call('SISMEMBER', PAUSED, queue) == 0 then redis.call('DEL', TURNS .. queue) end
end
if places > #chosen then
  register(worker, places - #chosen, lease_ms)
  state = 1
end
return {now, next_due(KEYS, exactly), state, rows}
