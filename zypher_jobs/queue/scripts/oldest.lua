-- How long the queue is, and since when its first waiting prediction waits.
-- KEYS  1 arq:queue  2 zypher:running
-- ARGV  1 arq:in-progress:
-- Returns {now ms, waiting, running, when the oldest waiting one was due or -1}.
-- Reads past the running ones at the head only: O(running), not O(waiting).
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local running = redis.call('ZCOUNT', KEYS[2], now, '+inf')
local waiting = math.max(0, redis.call('ZCARD', KEYS[1]) - running)
local offset, chunk = 0, 128
while true do
  local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now + 1, 'WITHSCORES', 'LIMIT', offset, chunk)
  for i = 1, #due, 2 do
    if redis.call('EXISTS', ARGV[1] .. due[i]) == 0 then
      return {now, waiting, running, math.floor(due[i + 1])}
    end
  end
  if #due < 2 * chunk then return {now, waiting, running, -1} end
  offset = offset + chunk
end
