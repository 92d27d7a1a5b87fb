-- Takes up to `room` due predictions under a lease each.
-- KEYS  1 arq:queue  2 zypher:running  3 zypher:wake
-- ARGV  1 worker id  2 room  3 lease ms  4 retry-count ttl ms  5 arq:in-progress:  6 arq:retry:  7 arq:job:  8 zypher:prediction:
-- Returns {now ms, ms until the next deferred one or -1, {id, score, attempt, token, job or false}, …}.
-- Invariant: a prediction whose in-progress key exists, whoever wrote it, is not taken; the token holds the attempt, which only rises.
local time = redis.call('TIME')
local exactly = time[1] * 1000 + time[2] / 1000
local now = math.floor(exactly)
local room = tonumber(ARGV[2])
local reply = {now, -1}
local offset, chunk = 0, 128
while room > 0 do
  -- arq keeps running predictions in its queue: read on until there is no room or nothing due
  local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', exactly, 'WITHSCORES', 'LIMIT', offset, chunk)
  for i = 1, #due, 2 do
    local id = due[i]
    if room > 0 and redis.call('EXISTS', ARGV[5] .. id) == 0 then
      room = room - 1
      local attempt = redis.call('INCR', ARGV[6] .. id)
      redis.call('PEXPIRE', ARGV[6] .. id, ARGV[4])
      local token = ARGV[1] .. '/' .. attempt
      redis.call('SET', ARGV[5] .. id, token, 'PX', ARGV[3])
      redis.call('ZADD', KEYS[2], now + ARGV[3], id)
      local record = ARGV[8] .. id
      if redis.call('EXISTS', record) == 1 then
        redis.call('HSET', record, 'status', 'running', 'attempts', attempt, 'started_at_ms', now, 'worker', ARGV[1])
      end
      reply[#reply + 1] = {id, due[i + 1], attempt, token, redis.call('GET', ARGV[7] .. id)}
    end
  end
  if #due < 2 * chunk then break end
  offset = offset + chunk
end
if room == 0 then
  -- this worker is full and may leave some behind: pass the wake-up on
  if redis.call('LLEN', KEYS[3]) == 0 then
    redis.call('LPUSH', KEYS[3], '1')
  end
else
  local later = redis.call('ZRANGEBYSCORE', KEYS[1], string.format('(%.17g', exactly), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  if later[2] then reply[2] = math.ceil(later[2] - exactly) end
end
return reply
