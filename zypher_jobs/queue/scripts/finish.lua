-- Ends attempts, all that ended while the report before was under way: with a verdict, or handed back to the queue.
-- KEYS  the worker's queues if it is to be idle, else none
-- ARGV  1 retention ms  2 dead letters' ttl ms  3 worker id  4 its lease ms  5 the places it has left
--       6 MessagePack list of {id, queue, token, attempt, status, model, result ttl ms, preview, output bytes, error code, error message,
--         traceback, fingerprint, wait bucket, wait us, run bucket, run us, defer ms, counts as an attempt, is a dead letter,
--         total bucket, started ms, the version that answered if it is another than was asked for, or '', us until its
--         model was loaded or 0}
--       7 and on: the result of each, in arq's format (cmsgpack reads no binary strings)
--         status "queued" hands back; due again after `defer ms`. A result ttl of 0 keeps no result, of -1 keeps it for ever.
-- Returns {{for each 1, or 0 if it was refused: the lease was no longer the worker's}, 1 if the worker is registered as idle now, ms
--         until something is due that was deferred or -1}. It is not when something is due, which it then has to claim.
-- Invariant: one terminal write for each prediction. A lease that lapsed unclaimed still counts: same attempt, in its queue, and not
--         taken meanwhile by another worker, whose hand-back gives its attempt's number back.
even_when_full()
local now, exactly = clock()
local all = cmsgpack.unpack(ARGV[6])
local accepted, seen, ended_now = {}, {}, {}
local refused = 0
local gone, places, leaving, moved, dead = {}, {}, {}, {}, {}
local leases, ids = {}, {}
for i, e in ipairs(all) do leases[i], ids[i] = IN_PROGRESS .. e[1], e[1] end
local holders = redis.call('MGET', unpack(leases))
local running = redis.call('ZMSCORE', LIST .. 'running', unpack(ids))
local aborts = redis.call('EXISTS', ABORT) == 1

-- Whether just this end is in the record already: the reply that said so was lost.
local function was_written(id, status, token, attempt)
  local known = redis.call('HMGET', RECORD .. id, 'status', 'worker', 'attempts', 'run_us')
  return known[1] == status and known[4] and status ~= 'queued' and known[2] .. '/' .. known[3] == token
end

for i, e in ipairs(all) do
  local id, queue, token, attempt, status, model = e[1], e[2], e[3], e[4], e[5], e[6]
  local holder = holders[i]
  if not seen[id] and not holder and was_written(id, status, token, attempt) then
    accepted[i] = 1
  elseif seen[id] or holder ~= token and (holder or not may_go_on(id, queue, token, attempt, now)) then
    accepted[i] = 0
    refused = refused + 1
    -- late, not lost: its worker lives; said once, however often it is reported
    local counted = COUNTED .. attempt
    if redis.call('HGET', RECORD .. id, counted) == string.match(token, '^(.*)/') then
      redis.call('HDEL', RECORD .. id, counted)
      redis.call('HINCRBY', RECORD .. id, 'lost', -1)
    end
  else
    accepted[i] = 1
    seen[id] = true
    local record, created = RECORD .. id, running[i]
    gone[#gone + 1] = IN_PROGRESS .. id
    if created then
      put(moved, status, {id, created})
      event(id, status, model, attempt, string.match(token, '^(.*)/'))
    end
    if status == 'queued' then
      if not e[19] then redis.call('DECR', RETRY .. id) end
      -- without a delay it goes to the front
      put(places, queue, e[18] > 0 and now + e[18] or tonumber(redis.call('GET', TURN .. queue) or 1), id)
      if created then
        local started = redis.call('HGET', record, 'started_at_ms')
        past_attempt(id, attempt, started, now, string.match(token, '^(.*)/'), e[10], e[11])
        redis.call('HSET', record, 'status', 'queued', 'due_at_ms', e[18] > 0 and now + e[18] or 0)
        local stands = redis.call('HMGET', record, 'deadline_ms', 'watchers')
        local deadline = tonumber(stands[1] or 0)
        if deadline > 0 then redis.call('ZADD', DEADLINES, deadline, id) end
        notify(id, stands[2])
      end
    else
      ended_now[queue] = (ended_now[queue] or 0) + 1
      if e[7] > 0 then
        redis.call('SET', RESULT .. id, ARGV[6 + i], 'PX', e[7])
      elseif e[7] < 0 then
        redis.call('SET', RESULT .. id, ARGV[6 + i])
      end
      gone[#gone + 1] = RETRY .. id
      gone[#gone + 1] = JOB .. id
      put(leaving, queue, id)
      if aborts then redis.call('ZREM', ABORT, id) end
      if created then
        if e[10] == '' then
          redis.call('HSET', record, 'status', status, 'finished_at_ms', now, 'run_us', e[17], 'output_preview', e[8], 'output_bytes', e[9])
        else
          redis.call('HSET', record, 'status', status, 'finished_at_ms', now, 'run_us', e[17], 'error_code', e[10], 'error_message', e[11],
            'error_traceback', e[12], 'fingerprint', e[13])
        end
        if e[23] ~= '' then redis.call('HSET', record, 'version', e[23]) end
        if e[24] > 0 then redis.call('HSET', record, 'load_us', e[24]) end
        redis.call('PEXPIRE', record, e[20] and ARGV[2] or ARGV[1])
        if e[20] then put(dead, DEAD, now, id) end
        tally(model, 'async', status, e[14], e[15], e[16], e[17], e[21])
        if attempt > 1 or e[24] > 0 or #ARGV[6 + i] > TOLD_BYTES then
          tell(id, {id}, '', status, now)
        else
          tell(id, {id, status, now, e[22], e[17], attempt, string.match(token, '^(.*)/'), e[9], e[10], e[11], e[23]}, ARGV[6 + i], status, now)
        end
      end
    end
  end
end

if #gone > 0 then redis.call('DEL', unpack(gone)) end
for queue, members in pairs(leaving) do redis.call('ZREM', queue, unpack(members)) end
for queue, scores in pairs(places) do redis.call('ZADD', queue, unpack(scores)) end
for status, list in pairs(moved) do
  move('running', status, list)
  if status ~= 'queued' and now % TRIM_EVERY == 0 then trim(status, TRIM_EVERY * #list) end
end
if dead[DEAD] then
  redis.call('ZADD', DEAD, unpack(dead[DEAD]))
  redis.call('ZREMRANGEBYRANK', DEAD, 0, -(DEAD_LETTERS_KEPT + 1))
  redis.call('ZREMRANGEBYSCORE', DEAD, '-inf', now - ARGV[2])
end
for queue, ended in pairs(ended_now) do
  local rate = string.format('%s%s:%.0f', RATE, queue, math.floor(now / RATE_BUCKET_MS))
  if redis.call('INCRBY', rate, ended) == ended then redis.call('PEXPIRE', rate, RATE_TTL_MS) end
end
if refused > 0 then redis.call('INCRBY', REFUSED, refused) end
if next(places) then wake() end
write_tallies(COUNTS, LATENCY)
write_events(now)
if #KEYS == 0 then return {accepted, 0, -1} end
local due_ms = first_due(KEYS, exactly)
if due_ms == 0 then return {accepted, 0, -1} end
register(ARGV[3], ARGV[5], ARGV[4])
return {accepted, 1, due_ms}
