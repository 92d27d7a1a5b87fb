-- How long each queue is, and since when its first waiting prediction waits.
-- KEYS  the queues
-- Returns {now ms, {waiting, running or deferred, created ms of the first in line or -1, paused, predictions ended lately,
--         over ms}, … for each queue,
--         {running, created ms of the oldest waiting one or -1, predictions ended lately, over ms, dead letters, refused finishes}}.
local now, exactly = clock()
local reply = {now}
local ended, over = 0, 0
for i, queue in ipairs(KEYS) do
  local waiting = redis.call('ZCOUNT', queue, '-inf', string.format('%.17g', exactly))
  local later = redis.call('ZCARD', queue) - waiting
  local first = redis.call('ZRANGE', queue, 0, 0)[1]
  local since = first and tonumber(redis.call('HGET', RECORD .. first, 'created_at_ms') or -1) or -1
  local of_queue, in_ms = ended_lately(queue, now)
  ended, over = ended + of_queue, math.max(over, in_ms)
  reply[i + 1] = {waiting, later, since, redis.call('SISMEMBER', PAUSED, queue), of_queue, in_ms}
end
local first = redis.call('ZRANGE', LIST .. 'queued', 0, 0, 'WITHSCORES')
reply[#reply + 1] = {redis.call('ZCARD', LIST .. 'running'), tonumber(first[2] or -1), ended, over, redis.call('ZCARD', DEAD), tonumber(redis.call('GET', REFUSED) or 0)}
return reply
