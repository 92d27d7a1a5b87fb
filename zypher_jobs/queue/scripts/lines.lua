-- Looks at queues: how many wait and run, since when, how fast they end, and who is first in line.
-- KEYS  the queues
-- ARGV  1 how many of the first in line
-- Returns {now ms, then for each queue {waiting, running or deferred, created ms of the first in line or -1, paused,
--         predictions ended lately, over ms, {model, created ms, … of the first in line}}}.
local now, exactly = clock()
local reply = {now}
for i, queue in ipairs(KEYS) do
  local edge = string.format('%.17g', exactly)
  local waiting = redis.call('ZCOUNT', queue, '-inf', edge)
  local line = redis.call('ZRANGEBYSCORE', queue, '-inf', edge, 'LIMIT', 0, tonumber(ARGV[1]))
  local first = line[1] and tonumber(redis.call('HGET', RECORD .. line[1], 'created_at_ms') or -1) or -1
  local models = {}
  for _, id in ipairs(line) do
    local known = redis.call('HMGET', RECORD .. id, 'model', 'created_at_ms')
    models[#models + 1], models[#models + 2] = known[1] or '', tonumber(known[2] or now)
  end
  local ended, over = ended_lately(queue, now)
  reply[i + 1] = {waiting, redis.call('ZCARD', queue) - waiting, first, redis.call('SISMEMBER', PAUSED, queue), ended, over, models}
end
return reply
