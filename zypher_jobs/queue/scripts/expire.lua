-- Takes what waited past its deadline, for the worker to end as expired: it may be far back in its queue, or in a paused one.
-- KEYS  all queues
-- ARGV  1 worker id  2 how many at most  3 lease ms  4 retry-count ttl ms
-- Returns {now ms, frame of rows as of take.lua}.
even_when_full()
local now = clock()
-- what nobody took until Redis forgot it, as in a queue that stays paused
for _, id in ipairs(redis.call('ZRANGE', LIST .. 'queued', 0, ARGV[2] - 1)) do
  if redis.call('EXISTS', RECORD .. id) == 1 then break end
  redis.call('ZREM', LIST .. 'queued', id)
  for _, queue in ipairs(KEYS) do redis.call('ZREM', queue, id) end
end
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
return {now, take_all(chosen, ARGV[1], tonumber(ARGV[3]), ARGV[4], now)}
