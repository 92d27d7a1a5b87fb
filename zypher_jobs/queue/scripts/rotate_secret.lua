-- Gives a webhook a new secret; the one before it signs too for a while. A caller's own, for the webhooks that it gives with its
-- predictions, is made when it is first asked for.
-- KEYS  none beyond those of the header
-- ARGV  1 id of the webhook, or "direct:" and the caller's  2 the new secret  3 ms for which the old one signs
--       4 "rotate" to change one that there is, "read" to make one that there is not, "sign" to do neither
-- Returns its secrets: "secret", or "secret old until ms", or false if there is none, or no such webhook.
local known = redis.call('HGET', WEBHOOK_SECRETS, ARGV[1])
local is_own = string.sub(ARGV[1], 1, 7) == 'direct:'
if not known and (not is_own or ARGV[4] == 'sign') then return false end
if known and ARGV[4] ~= 'rotate' then return known end
local secrets = ARGV[2]
if known then secrets = string.format('%s %s %.0f', secrets, string.match(known, '^%S+'), (clock()) + ARGV[3]) end
redis.call('HSET', WEBHOOK_SECRETS, ARGV[1], secrets)
return secrets
