-- Ends attempts, all that ended while the report before was under way: with a verdict, or handed back to the queue.
-- KEYS  none beyond those of the header
-- ARGV  1 retention ms  2 dead letters' ttl ms
--       3 MessagePack list of {id, queue, token, attempt, status, result ttl ms, preview, output bytes, error code, error message,
--         traceback, fingerprint, wait bucket, wait us, run bucket, run us, defer ms, counts as an attempt, is a dead letter}
--       4 and on: the result of each, in arq's format (cmsgpack reads no binary strings)
--         status "queued" hands back; due again after `defer ms`. A result ttl of 0 keeps no result, of -1 keeps it for ever.
-- Returns for each 1, or 0 if it was refused: the lease was no longer the worker's.
-- Invariant: one terminal write for each prediction. A lease that lapsed unclaimed (same attempt, job still queued) still counts.
local now = clock()
local accepted, ended_now, touched = {}, 0, {}
for i, e in ipairs(cmsgpack.unpack(ARGV[3])) do
  local id, queue, token, attempt, status = e[1], e[2], e[3], e[4], e[5]
  local holder = redis.call('GET', IN_PROGRESS .. id)
  if holder ~= token and (holder or redis.call('GET', RETRY .. id) ~= tostring(attempt) or redis.call('ZSCORE', queue, id) == false) then
    accepted[i] = 0
  else
    accepted[i] = 1
    local record = RECORD .. id
    local known = redis.call('HMGET', record, 'model', 'created_at_ms', 'worker')
    redis.call('DEL', IN_PROGRESS .. id)
    if status == 'queued' then
      if not e[18] then redis.call('DECR', RETRY .. id) end
      -- without a delay it goes to the front
      redis.call('ZADD', queue, e[17] > 0 and now + e[17] or tonumber(redis.call('GET', TURN .. queue) or 1), id)
      if known[1] then
        redis.call('HSET', record, 'status', 'queued')
        move(id, record, 'running', 'queued', known[2], known[1], attempt, known[3])
      end
      wake()
    else
      ended_now = ended_now + 1
      if e[6] > 0 then
        redis.call('SET', RESULT .. id, ARGV[3 + i], 'PX', e[6])
      elseif e[6] < 0 then
        redis.call('SET', RESULT .. id, ARGV[3 + i])
      end
      redis.call('DEL', RETRY .. id, JOB .. id)
      redis.call('ZREM', queue, id)
      redis.call('ZREM', ABORT, id)
      if known[1] then
        redis.call('HSET', record, 'status', status, 'finished_at_ms', now, 'run_us', e[16], 'output_preview', e[7], 'output_bytes', e[8])
        if e[9] ~= '' then
          redis.call('HSET', record, 'error_code', e[9], 'error_message', e[10], 'error_traceback', e[11], 'fingerprint', e[12])
        end
        if e[19] then
          redis.call('ZADD', DEAD, now, id)
          redis.call('PEXPIRE', record, ARGV[2])
          touched[DEAD] = true
        else
          redis.call('PEXPIRE', record, ARGV[1])
        end
        move(id, record, 'running', status, known[2], known[1], attempt, known[3])
        touched[LIST .. status] = true
        tally(known[1], 'async', status, e[13], e[14], e[15], e[16])
        redis.call('PUBLISH', DONE .. id, status)
      end
    end
  end
end
if ended_now > 0 then
  local rate = RATE .. string.format('%.0f', math.floor(now / RATE_BUCKET_MS))
  redis.call('INCRBY', rate, ended_now)
  redis.call('PEXPIRE', rate, RATE_TTL_MS)
end
for list in pairs(touched) do
  if list == DEAD then
    redis.call('ZREMRANGEBYRANK', DEAD, 0, -(DEAD_LETTERS_KEPT + 1))
    redis.call('ZREMRANGEBYSCORE', DEAD, '-inf', now - ARGV[2])
  else
    local kept_ms = list == LIST .. 'failed' and math.max(tonumber(ARGV[1]), tonumber(ARGV[2])) or ARGV[1]
    redis.call('ZREMRANGEBYSCORE', list, '-inf', now - kept_ms - JOB_TTL_MS)
  end
end
write_tallies(COUNTS, LATENCY)
return accepted
