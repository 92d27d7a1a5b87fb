-- Changes a registered webhook.
-- KEYS  none beyond those of the header
-- ARGV  1 id  2 what changes, a MessagePack map as it is stored  3 "1" to disable it, "0" to enable it, or ''
-- Returns it as it is now, MessagePack, or false if there is no such webhook.
local packed = redis.call('HGET', WEBHOOKS, ARGV[1])
if not packed then return false end
local webhook = cmsgpack.unpack(packed)
local before = webhook.url
for name, value in pairs(cmsgpack.unpack(ARGV[2])) do webhook[name] = value end
if ARGV[3] == '0' then webhook.disabled_at_ms = 0 end
if ARGV[3] == '0' or webhook.url ~= before then  -- what there was of failures is over, or another receiver's
  webhook.suspended_at_ms = 0
  redis.call('HDEL', WEBHOOKS_FAILING, ARGV[1])
end
if ARGV[3] == '1' and webhook.disabled_at_ms == 0 then webhook.disabled_at_ms = clock() end
packed = cmsgpack.pack(webhook)
redis.call('HSET', WEBHOOKS, ARGV[1], packed)
return packed
