-- Writes what came of an attempt to deliver.
-- KEYS  none beyond those of the header
-- ARGV  1 id  2 number of the claim  3 state  4 ms until it is tried again; 0: by whoever is there, at once  5 attempts  6 step of the schedule  7 log, JSON
--       8 body to send again, or ''  9 ms for which it is known, once it has ended  10 id of a webhook to be disabled, or ''
--       11 the attempt, if there was one: 'succeeded' or 'failed'  12 number of its bucket  13 its microseconds
--       14 ms of nothing but failures after which a registered webhook is suspended; 0: never
-- Returns 1, or 0 if it was claimed again since, or was forgotten: nothing changes then.
local function suspend(webhook, at)
  local packed = redis.call('HGET', WEBHOOKS, webhook)
  local found = packed and cmsgpack.unpack(packed)
  if found and ((found.suspended_at_ms or 0) == 0) ~= (at == 0) then
    found.suspended_at_ms = at
    redis.call('HSET', WEBHOOKS, webhook, cmsgpack.pack(found))
  end
end

-- Since when there was nothing but failures stands in a hash of its own: a success costs one look there.
local function note_receiver(webhook, took_it, now, suspended_after)
  if webhook == 'direct' then return end
  if took_it then
    if redis.call('HDEL', WEBHOOKS_FAILING, webhook) == 1 then suspend(webhook, 0) end
  elseif redis.call('HEXISTS', WEBHOOKS, webhook) == 1 and redis.call('HSETNX', WEBHOOKS_FAILING, webhook, now) == 0 then
    local failing = now - redis.call('HGET', WEBHOOKS_FAILING, webhook)
    if suspended_after > 0 and failing >= suspended_after then suspend(webhook, now) end
  end
end

local id, record = ARGV[1], DELIVERY .. ARGV[1]
even_when_full()
if redis.call('HGET', record, 'claim') ~= ARGV[2] then return 0 end
local now = clock()
redis.call('HSET', record, 'state', ARGV[3], 'attempts', ARGV[5], 'step', ARGV[6], 'log', ARGV[7])
if ARGV[3] ~= 'pending' then redis.call('HINCRBY', DELIVERED, ARGV[3], 1) end
if ARGV[11] then
  note_receiver(redis.call('HGET', record, 'webhook_id'), ARGV[11] == 'succeeded', now, tonumber(ARGV[14]))
  redis.call('HINCRBY', DELIVERED, ARGV[11] .. '|' .. ARGV[12], 1)
  redis.call('HINCRBY', DELIVERED, ARGV[11] .. '|sum_us', ARGV[13])
end
if ARGV[3] == 'pending' then
  redis.call('ZADD', DELIVERIES, now + ARGV[4], id)
  if ARGV[8] ~= '' then redis.call('HSET', record, 'body', ARGV[8]) end
  redis.call('PEXPIRE', record, DELIVERY_TTL_MS)
  if ARGV[4] == '0' then redis.call('PUBLISH', DELIVER, '') end
else
  redis.call('ZREM', DELIVERIES, id)
  redis.call('HDEL', record, 'body')
  redis.call('PEXPIRE', record, ARGV[9])
end
local webhook = ARGV[10] ~= '' and redis.call('HGET', WEBHOOKS, ARGV[10])
if webhook then
  webhook = cmsgpack.unpack(webhook)
  webhook.disabled_at_ms = now
  redis.call('HSET', WEBHOOKS, ARGV[10], cmsgpack.pack(webhook))
end
return 1
