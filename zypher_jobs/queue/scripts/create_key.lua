-- Adds an API key, and tells every process that follows them.
-- KEYS  none beyond those of the header
-- ARGV  1 id  2 name  3 the key, MessagePack
-- Returns 1, 0 if there are API_KEYS_KEPT already, -1 if a key has that name.
-- Invariant: a name is one key's.
if redis.call('HLEN', API_KEYS) >= API_KEYS_KEPT then return 0 end
if redis.call('HSETNX', API_KEY_NAMES, ARGV[2], ARGV[1]) == 0 then return -1 end
redis.call('HSET', API_KEYS, ARGV[1], ARGV[3])
redis.call('PUBLISH', API_KEYS_CHANGED, '')
return 1
