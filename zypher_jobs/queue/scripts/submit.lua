-- Queues one prediction: arq's job, its queue place, its record, its place in the list; wakes one worker.
-- KEYS  1 arq:queue  2 arq:job:{id}  3 arq:result:{id}  4 zypher:prediction:{id}  5 zypher:predictions  6 zypher:running  7 zypher:wake
-- ARGV  1 id  2 job (arq's format)  3 job ttl ms  4 record ttl ms  5 model  6 input preview
-- Returns {created ms, predictions ahead}.
-- Invariant: the same id is queued once; a second submit of it (a retry whose first answer was lost) changes nothing.
local time = redis.call('TIME')
-- the score holds microseconds as a fraction: those of one millisecond keep their order, and arq reads it as ms all the same
local due = time[1] * 1000 + time[2] / 1000
local now = math.floor(due)
if redis.call('EXISTS', KEYS[2], KEYS[3]) == 0 then
  redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
  redis.call('ZADD', KEYS[1], due, ARGV[1])
  redis.call('HSET', KEYS[4], 'status', 'queued', 'model', ARGV[5], 'mode', 'async', 'created_at_ms', now, 'input_preview', ARGV[6])
  redis.call('PEXPIRE', KEYS[4], ARGV[4])
  redis.call('ZADD', KEYS[5], now, ARGV[1])
  redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', now - ARGV[4])
  if redis.call('LLEN', KEYS[7]) == 0 then
    redis.call('LPUSH', KEYS[7], '1')
  end
end
local rank = redis.call('ZRANK', KEYS[1], ARGV[1])
local ahead = 0
if rank then
  ahead = math.max(0, rank - redis.call('ZCOUNT', KEYS[6], now, '+inf'))
end
return {tonumber(redis.call('HGET', KEYS[4], 'created_at_ms') or now), ahead}
