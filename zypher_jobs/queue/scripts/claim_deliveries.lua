-- Takes deliveries that are due, each under a lease: its end is when the delivery is due again by itself.
-- KEYS  none beyond those of the header
-- ARGV  1 room  2 lease ms
-- Returns {ms until the next one is due or -1, for each that was taken: {id, number of the claim, its hash}}.
-- One for a registered webhook goes to where that wants it now.
-- Invariant: only the last claim of a delivery may report it.
even_when_full()
local now = clock()
local rows = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', DELIVERIES, '-inf', now, 'LIMIT', 0, ARGV[1])) do
  local record = DELIVERY .. id
  if redis.call('EXISTS', record) == 1 then
    redis.call('ZADD', DELIVERIES, now + ARGV[2], id)
    local webhook = redis.call('HGET', WEBHOOKS, (redis.call('HGET', record, 'webhook_id')))
    if webhook then redis.call('HSET', record, 'url', cmsgpack.unpack(webhook).url) end
    local claim = redis.call('HINCRBY', record, 'claim', 1)
    rows[#rows + 1] = {id, claim, redis.call('HGETALL', record)}
  else
    redis.call('ZREM', DELIVERIES, id)
  end
end
local first = redis.call('ZRANGE', DELIVERIES, 0, 0, 'WITHSCORES')
return {first[2] and math.max(0, first[2] - now) or -1, rows}
