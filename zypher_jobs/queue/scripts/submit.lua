-- Queues predictions, all that were submitted while the round trip before was under way.
-- KEYS  none beyond those of the header: one call may touch several queues
-- ARGV  1 MessagePack list of {id, queue, model, version, caller, input preview, input bytes, record ttl ms, deadline ms or 0,
--         limit of the queue's depth or 0, id of the prediction it replays or ''}
--       2 job ttl ms  3 and on: the job of each, in arq's format
-- Returns for each {1, created ms, predictions ahead}, {0, created ms, 0} if the id is known already (nothing changes),
--         or {-1, depth, ms until there is room or -1} if its queue is full.
-- Invariant: an id is queued once. Callers take turns: a caller's next prediction comes one turn after its last, and never before
--         the turn being served. The first turn is 1: arq takes a score of 0 for none.
local now = clock()
local news = cmsgpack.unpack(ARGV[1])
local depths, served, next_turns, places, listed, reply = {}, {}, {}, {}, {}, {}
local aborts = redis.call('EXISTS', ABORT) == 1

local function drain_ms(predictions)
  local ended, over = ended_lately(now)
  return ended == 0 and -1 or math.ceil(predictions / ended * over)
end

local function turn_of(queue, caller)
  served[queue] = served[queue] or tonumber(redis.call('GET', TURN .. queue) or 1)
  local turns = next_turns[queue] or {}
  next_turns[queue] = turns
  local turn = math.max(served[queue], turns[caller] or tonumber(redis.call('ZSCORE', TURNS .. queue, caller) or 1))
  turns[caller] = turn + 1
  return turn
end

for i, new in ipairs(news) do
  local id, queue, model, limit = new[1], new[2], new[3], new[10]
  local record = RECORD .. id
  if redis.call('EXISTS', record) == 1 then
    reply[i] = {0, tonumber(redis.call('HGET', record, 'created_at_ms') or now), 0}
  else
    local depth = depths[queue] or redis.call('ZCOUNT', queue, '-inf', now)
    depths[queue] = depth
    if limit > 0 and depth >= limit then
      reply[i] = {-1, depth, drain_ms(depth - limit + 1)}
    elseif not redis.call('SET', JOB .. id, ARGV[2 + i], 'NX', 'PX', ARGV[2]) then
      reply[i] = {0, now, 0}
    else
      local turn = turn_of(queue, new[5])
      redis.call('HSET', record, 'status', 'queued', 'model', model, 'version', new[4], 'mode', 'async', 'queue', queue, 'caller', new[5],
        'created_at_ms', now, 'input_preview', new[6], 'input_bytes', new[7], 'deadline_ms', new[9], 'replay_of', new[11])
      redis.call('PEXPIRE', record, new[8])
      put(places, queue, turn, id)
      listed[#listed + 1] = {id, now}
      event(id, 'queued', model, 0, '')
      if new[9] > 0 then redis.call('ZADD', DEADLINES, new[9], id) end
      -- an abort that came before its prediction must not cancel it
      if aborts then redis.call('ZREM', ABORT, id) end
      depths[queue] = depth + 1
      -- of many at once only the first is told its exact place
      reply[i] = {1, now, i == 1 and redis.call('ZCOUNT', queue, '-inf', '(' .. string.format('%.0f', turn)) or depth}
    end
  end
end
for queue, places_of_queue in pairs(places) do redis.call('ZADD', queue, unpack(places_of_queue)) end
for queue, turns in pairs(next_turns) do
  for caller, turn in pairs(turns) do redis.call('ZADD', TURNS .. queue, turn, caller) end
end
move(nil, 'queued', listed)
write_events(now)
if #listed > 0 then wake() end
return reply
