-- Has a delivery begin anew, from the first step of its schedule.
-- KEYS  none beyond those of the header
-- ARGV  1 id
-- Returns 1, or 0 if it is not known. An attempt that is under way is not reported any more.
local record = DELIVERY .. ARGV[1]
if redis.call('EXISTS', record) == 0 then return 0 end
redis.call('HSET', record, 'state', 'pending', 'step', 0)
redis.call('HDEL', record, 'refused', 'suspended')
redis.call('HINCRBY', record, 'claim', 1)
redis.call('PEXPIRE', record, DELIVERY_TTL_MS)
redis.call('ZADD', DELIVERIES, (clock()), ARGV[1])
redis.call('PUBLISH', DELIVER, '')
return 1
