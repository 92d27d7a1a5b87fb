-- Takes what waited past its deadline, for the worker to end as expired: it may be far back in its queue, or in a paused one.
-- KEYS  none beyond those of the header
-- ARGV  1 worker id  2 how many at most  3 lease ms  4 retry-count ttl ms
-- Returns {now ms, -1, rows as of claim.lua, …}.
local now = clock()
local late = redis.call('ZRANGEBYSCORE', DEADLINES, '-inf', now, 'LIMIT', 0, ARGV[2])
local chosen = {}
for _, id in ipairs(late) do
  local known = redis.call('HMGET', RECORD .. id, 'status', 'queue')
  if known[1] == 'queued' and redis.call('EXISTS', IN_PROGRESS .. id) == 0 then
    chosen[#chosen + 1] = {id, known[2], 0}
  else
    redis.call('ZREM', DEADLINES, id)
  end
end
return {now, -1, unpack(take_all(chosen, ARGV[1], tonumber(ARGV[3]), ARGV[4], now))}
