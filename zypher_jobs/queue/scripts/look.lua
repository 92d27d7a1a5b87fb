-- What a waiter reads, which is told of the end if that is still to come. A large result is left out: the connection hears
-- messages too, and Redis bounds what such a one may have to take in.
-- KEYS  none beyond those of the header
-- ARGV  1 id  2 the waiter's client id
-- Returns {field, value, …}, result or false, 1 if there is a larger one.
local record, result = RECORD .. ARGV[1], RESULT .. ARGV[1]
local known = redis.call('HMGET', record, 'status', 'reply_to')
if known[1] == 'queued' or known[1] == 'running' then
  local clients = known[2] or ''
  if not string.find(clients, ARGV[2], 1, true) then redis.call('HSET', record, 'reply_to', clients .. ' ' .. ARGV[2]) end
end
local small = redis.call('STRLEN', result) <= TOLD_BYTES
return {redis.call('HGETALL', record), small and redis.call('GET', result), small and 0 or 1}
