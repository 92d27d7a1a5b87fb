-- Prepended to what ends predictions: queues a delivery for each webhook that wants to know how one ended.

local registered, told_deliverers, pending

local function is_in(list, value)
  for _, each in ipairs(list) do
    if each == value then return true end
  end
  return #list == 0
end

-- One that is `suspended` is known, and not tried.
local function queue_delivery(id, webhook, url, status, now, suspended)
  local delivery = id .. '-' .. webhook
  redis.call('HSET', DELIVERY .. delivery, 'webhook_id', webhook, 'prediction_id', id, 'type', 'prediction.' .. status, 'url', url,
    'state', 'pending', 'created_at_ms', now)
  local trace = redis.call('HGET', RECORD .. id, 'trace')
  if trace then redis.call('HSET', DELIVERY .. delivery, 'trace', trace) end
  redis.call('PEXPIRE', DELIVERY .. delivery, DELIVERY_TTL_MS)
  pending = pending or redis.call('ZCARD', DELIVERIES)
  if suspended or pending >= DELIVERIES_PENDING then
    redis.call('HSET', DELIVERY .. delivery, 'state', 'failed', suspended and 'suspended' or 'refused', 1)
    redis.call('HINCRBY', DELIVERED, 'refused', 1)
    return delivery
  end
  pending = pending + 1
  redis.call('ZADD', DELIVERIES, now, delivery)
  if not told_deliverers then redis.call('PUBLISH', DELIVER, '') end
  told_deliverers = true
  return delivery
end

-- `direct` is the webhook that was given with the prediction: its URL, then the statuses of which it is told (none: all), by spaces.
local function deliver(id, status, now, direct)
  if direct then
    local url, statuses = string.match(direct, '^(%S+) ?(.*)$')
    if statuses == '' or string.find(' ' .. statuses .. ' ', ' ' .. status .. ' ', 1, true) then
      local delivery = queue_delivery(id, 'direct', url, status, now)
      redis.call('HSET', DELIVERY .. delivery, 'caller', redis.call('HGET', RECORD .. id, 'caller') or '')
    end
  end
  if not registered then
    registered = {}
    local all = redis.call('HGETALL', WEBHOOKS)
    for i = 1, #all, 2 do
      local webhook = cmsgpack.unpack(all[i + 1])
      webhook.id = all[i]
      if webhook.disabled_at_ms == 0 then registered[#registered + 1] = webhook end
    end
  end
  if #registered == 0 then return end
  local model = redis.call('HGET', RECORD .. id, 'model')
  for _, webhook in ipairs(registered) do
    if is_in(webhook.events, 'prediction.' .. status) and is_in(webhook.models, model) then
      local log = DELIVERED_TO .. webhook.id
      local suspended = (webhook.suspended_at_ms or 0) ~= 0
      redis.call('ZADD', log, now, queue_delivery(id, webhook.id, webhook.url, status, now, suspended))
      redis.call('ZREMRANGEBYRANK', log, 0, -(DELIVERIES_LOGGED + 1))
      redis.call('PEXPIRE', log, DELIVERY_TTL_MS)
    end
  end
end
