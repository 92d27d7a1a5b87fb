-- Forgets an API key, with the secret of its webhooks, and tells every process that follows them.
-- KEYS  none beyond those of the header
-- ARGV  1 its id, or its name
-- Returns the key, MessagePack, with its id in front of it; nil if there is none.
local id = redis.call('HGET', API_KEY_NAMES, ARGV[1]) or ARGV[1]
local stored = redis.call('HGET', API_KEYS, id)
if not stored then return nil end
redis.call('HDEL', API_KEYS, id)
redis.call('HDEL', API_KEY_NAMES, cmsgpack.unpack(stored).name)
redis.call('HDEL', WEBHOOK_SECRETS, 'direct:' .. id)
redis.call('PUBLISH', API_KEYS_CHANGED, '')
return {id, stored}
