-- Registers a webhook with its secret.
-- KEYS  none beyond those of the header
-- ARGV  1 id  2 the webhook, MessagePack  3 its secret
-- Returns 1, or 0 if there are WEBHOOKS_KEPT already.
if redis.call('HLEN', WEBHOOKS) >= WEBHOOKS_KEPT then return 0 end
redis.call('HSET', WEBHOOKS, ARGV[1], ARGV[2])
redis.call('HSET', WEBHOOK_SECRETS, ARGV[1], ARGV[3])
return 1
