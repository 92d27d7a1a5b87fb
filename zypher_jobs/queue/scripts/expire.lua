-- Takes what waited past its deadline, for the worker to end as expired: it may be far back in its queue, or in a paused one.
-- KEYS  none beyond those of the header
-- ARGV  1 worker id  2 how many at most  3 lease ms  4 retry-count ttl ms
-- Returns {now ms, -1, rows as of claim.lua, …}.
local now = clock()
local reply = {now, -1}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', DEADLINES, '-inf', now, 'LIMIT', 0, ARGV[2])) do
  redis.call('ZREM', DEADLINES, id)
  local known = redis.call('HMGET', RECORD .. id, 'status', 'queue')
  if known[1] == 'queued' and redis.call('EXISTS', IN_PROGRESS .. id) == 0 then
    reply[#reply + 1] = take(id, known[2], ARGV[1], tonumber(ARGV[3]), ARGV[4], now, 0)
  end
end
return reply
