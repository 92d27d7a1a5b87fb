-- Ends attempts, all that ended in one turn of the worker: with a verdict, or handed back to the queue.
-- KEYS  1 arq:queue  2 zypher:running  3 arq:abort  4 zypher:counts  5 zypher:latency  6 zypher:wake
-- ARGV  1 retention ms  2 arq:in-progress:  3 arq:retry:  4 arq:job:  5 arq:result:  6 zypher:prediction:  7 zypher:done:
--       8 MessagePack list of {id, token, attempt, status, result ttl ms, preview, error code, error message,
--                              wait bucket, wait us, run bucket, run us, defer ms, counts as an attempt}
--       9 and on: the result of each, in arq's format (cmsgpack reads no binary strings)
--         status "queued" hands back; due again after `defer ms`. A result ttl of 0 keeps no result, of -1 keeps it for ever.
-- Returns for each 1, or 0 if it was refused: the lease was no longer the worker's.
-- Invariant: one terminal write for each prediction. A lease that lapsed unclaimed (same attempt, job still there) still counts.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local accepted = {}
for i, ended in ipairs(cmsgpack.unpack(ARGV[8])) do
  local id, token, attempt, status = ended[1], ended[2], ended[3], ended[4]
  local lease, retry, job, record = ARGV[2] .. id, ARGV[3] .. id, ARGV[4] .. id, ARGV[6] .. id
  local holder = redis.call('GET', lease)
  if holder ~= token and (holder or redis.call('GET', retry) ~= tostring(attempt) or redis.call('ZSCORE', KEYS[1], id) == false) then
    accepted[i] = 0
  else
    accepted[i] = 1
    local known = redis.call('HGET', record, 'model')
    redis.call('DEL', lease)
    redis.call('ZREM', KEYS[2], id)
    if status == 'queued' then
      if not ended[14] then redis.call('DECR', retry) end
      if ended[13] > 0 then redis.call('ZADD', KEYS[1], now + ended[13], id) end
      if known then redis.call('HSET', record, 'status', 'queued') end
      if redis.call('LLEN', KEYS[6]) == 0 then redis.call('LPUSH', KEYS[6], '1') end
    else
      if ended[5] > 0 then
        redis.call('SET', ARGV[5] .. id, ARGV[8 + i], 'PX', ended[5])
      elseif ended[5] < 0 then
        redis.call('SET', ARGV[5] .. id, ARGV[8 + i])
      end
      redis.call('DEL', retry, job)
      redis.call('ZREM', KEYS[1], id)
      redis.call('ZREM', KEYS[3], id)
      if known then
        redis.call('HSET', record, 'status', status, 'finished_at_ms', now, 'run_us', ended[12], 'output_preview', ended[6],
          'error_code', ended[7], 'error_message', ended[8])
        redis.call('PEXPIRE', record, ARGV[1])
        tally(known, 'async', status, ended[9], ended[10], ended[11], ended[12])
        redis.call('PUBLISH', ARGV[7] .. id, status)
      end
    end
  end
end
write_tallies(KEYS[4], KEYS[5])
return accepted
