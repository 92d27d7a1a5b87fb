-- What a waiter reads: as read.lua, but a large result is left out, for the connection hears messages too and Redis bounds what
-- such a one may have to take in.
-- KEYS  none beyond those of the header
-- ARGV  1 id
-- Returns {field, value, …}, result or false, 1 if there is a larger one.
local size = redis.call('STRLEN', RESULT .. ARGV[1])
local small = size <= ANNOUNCED_BYTES
return {redis.call('HGETALL', RECORD .. ARGV[1]), small and redis.call('GET', RESULT .. ARGV[1]), small and 0 or 1}
