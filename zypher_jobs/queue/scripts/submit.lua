-- Queues predictions, all that were submitted while the round trip before was under way. What an idle worker has a place for is
-- handed to it at once, under a lease, as if it had claimed it; the rest waits.
-- KEYS  none beyond those of the header: one call may touch several queues
-- ARGV  1 MessagePack list of {id, queue, model, version, caller, input preview, input bytes, record ttl ms, time to live ms or 0,
--         limit of the queue's depth or 0, id of the prediction it replays or '', id of the client that waits for it or '',
--         its own webhook as of deliver.lua or '', its trace or '', whether it replays only what was not replayed before}
--       2 job ttl ms  3 and on: the job of each, in arq's format
-- Returns {now ms, then for each three numbers: 1, predictions ahead (-1: it was handed to a worker), 0;
--         0, created ms, 0 if the id is known already (nothing changes); -1, depth, ms until there is room or -1 if its queue is full;
--         -2, 0, 0 if what it replays was replayed before}.
-- Invariant: an id is queued once. What is replayed is a dead letter no longer, in the same step: nobody can find it in between.
--         Callers take turns: a caller's next prediction comes one turn after its last, and never before the turn being served. The first turn is 1: arq takes a score of 0 for none. Nobody stands idle while something is due.
local now = clock()
local news = cmsgpack.unpack(ARGV[1])
local depths, served, next_turns, places, queued, running, reply = {}, {}, {}, {}, {}, {}, {now}
local aborts, paused = false, false
if redis.call('EXISTS', ABORT, PAUSED) > 0 then
  aborts, paused = redis.call('EXISTS', ABORT) == 1, redis.call('EXISTS', PAUSED) == 1
end
local idle, turn_to, left = nil, 0, false

local function drain_ms(queue, predictions)
  local ended, over = ended_lately(queue, now)
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

-- One with a place, each in turn; false if there is none, nil if the queue is paused.
local function worker_for(queue, bytes)
  if paused and redis.call('SISMEMBER', PAUSED, queue) == 1 then return nil end
  idle = idle or idle_workers()
  for _ = 1, bytes > HANDED_BYTES and 0 or #idle do
    turn_to = turn_to % #idle + 1
    local worker = idle[turn_to]
    if worker.places > 0 and worker.bytes + bytes <= MESSAGE_BYTES then
      worker.places, worker.bytes = worker.places - 1, worker.bytes + bytes
      return worker
    end
  end
  return false
end

-- Its depth, and whether it is at its limit.
local function depth_of(queue, limit)
  depths[queue] = depths[queue] or redis.call('ZCOUNT', queue, '-inf', now)
  return depths[queue], limit > 0 and depths[queue] >= limit
end

for i, new in ipairs(news) do
  local id, queue, model, job = new[1], new[2], new[3], ARGV[2 + i]
  local record, at = RECORD .. id, 3 * i - 1
  local worker, depth, full
  local known = redis.call('EXISTS', record) == 1
  local again = not known and new[15] and redis.call('HEXISTS', RECORD .. new[11], 'replayed_as') == 1
  if not known and not again then
    worker = worker_for(queue, #job)
    if not worker then depth, full = depth_of(queue, new[10]) end
  end
  if known then
    reply[at], reply[at + 1], reply[at + 2] = 0, tonumber(redis.call('HGET', record, 'created_at_ms') or now), 0
  elseif again then
    reply[at], reply[at + 1], reply[at + 2] = -2, 0, 0
  elseif full then
    reply[at], reply[at + 1], reply[at + 2] = -1, depth, drain_ms(queue, depth - new[10] + 1)
  elseif not redis.call('SET', JOB .. id, job, 'NX', 'PX', ARGV[2]) then
    reply[at], reply[at + 1], reply[at + 2] = 0, now, 0
  else
    local deadline = new[9] > 0 and now + new[9] or 0
    -- an abort that came before its prediction must not cancel it
    if aborts then redis.call('ZREM', ABORT, id) end
    event(id, 'queued', model, 0, '')
    if worker then
      local token = worker.id .. '/1'
      redis.call('SET', RETRY .. id, 1, 'PX', ARGV[2])
      redis.call('SET', IN_PROGRESS .. id, token, 'PX', worker.lease_ms)
      redis.call('HSET', record, 'status', 'running', 'model', model, 'version', new[4], 'mode', 'async', 'queue', queue, 'caller', new[5],
        'created_at_ms', now, 'input_preview', new[6], 'input_bytes', new[7], 'deadline_ms', deadline, 'replay_of', new[11], 'reply_to', new[12],
        'attempts', 1, 'started_at_ms', now, 'worker', worker.id)
      put(places, queue, now + worker.lease_ms, id)
      running[#running + 1] = {id, now}
      event(id, 'running', '', 1, worker.id)
      local rows = worker.rows
      rows[#rows + 1] = {id, queue, 1, 1, token, #job, 0, false, 0, now}
      worker.jobs[#rows] = job
      reply[at], reply[at + 1], reply[at + 2] = 1, -1, 0
    else
      local turn = turn_of(queue, new[5])
      redis.call('HSET', record, 'status', 'queued', 'model', model, 'version', new[4], 'mode', 'async', 'queue', queue, 'caller', new[5],
        'created_at_ms', now, 'input_preview', new[6], 'input_bytes', new[7], 'deadline_ms', deadline, 'replay_of', new[11], 'reply_to', new[12])
      put(places, queue, turn, id)
      queued[#queued + 1] = {id, now}
      left = left or worker == false
      if deadline > 0 then redis.call('ZADD', DEADLINES, deadline, id) end
      depths[queue] = depth + 1
      -- of many at once only the first is told its exact place
      reply[at], reply[at + 1], reply[at + 2] = 1, i == 1 and redis.call('ZCOUNT', queue, '-inf', '(' .. string.format('%.0f', turn)) or depth, 0
    end
    if new[13] ~= '' then redis.call('HSET', record, 'webhook', new[13]) end
    if new[14] ~= '' then redis.call('HSET', record, 'trace', new[14]) end
    redis.call('PEXPIRE', record, new[8])
    if new[11] ~= '' then
      redis.call('ZREM', DEAD, new[11])
      if redis.call('EXISTS', RECORD .. new[11]) == 1 then redis.call('HSET', RECORD .. new[11], 'replayed_as', id) end
    end
  end
end
for queue, places_of_queue in pairs(places) do redis.call('ZADD', queue, unpack(places_of_queue)) end
for queue, turns in pairs(next_turns) do
  for caller, turn in pairs(turns) do redis.call('ZADD', TURNS .. queue, turn, caller) end
end
move(nil, 'queued', queued)
move(nil, 'running', running)
write_events(now)
for _, worker in ipairs(idle or {}) do
  if #worker.rows > 0 then
    redis.call('HDEL', IDLE, worker.id)
    redis.call('PUBLISH', WORK .. worker.id, frame({now, worker.rows}, worker.jobs))
  end
end
-- what was not handed to those who are idle, for its size or their number
if left then wake() end
return reply
