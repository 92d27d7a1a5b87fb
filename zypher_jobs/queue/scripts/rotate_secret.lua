-- Gives a webhook a new secret; the one before it signs too for a while. The secret of webhooks that are given with a prediction is
-- made when it is first asked for.
-- KEYS  none beyond those of the header
-- ARGV  1 id of the webhook, or "direct"  2 the new secret  3 ms for which the old one signs  4 "1" to change one that there is
-- Returns its secrets: "secret", or "secret old until ms", or false if there is no such webhook.
local known = redis.call('HGET', WEBHOOK_SECRETS, ARGV[1])
if not known and ARGV[1] ~= 'direct' then return false end
if known and ARGV[4] ~= '1' then return known end
local secrets = ARGV[2]
if known then secrets = string.format('%s %s %.0f', secrets, string.match(known, '^%S+'), (clock()) + ARGV[3]) end
redis.call('HSET', WEBHOOK_SECRETS, ARGV[1], secrets)
return secrets
