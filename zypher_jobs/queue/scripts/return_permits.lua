-- Takes back permits that were granted and not used: they can be granted again.
-- KEYS  none beyond those of the header
-- ARGV  1 MessagePack of {name of the rate, how many, in so many ms, permits}
-- Returns nothing.
-- Invariant: there are never more than were granted before; of permits that were earned again meanwhile nothing is left to take back.
local _, now = clock()
local returned = cmsgpack.unpack(ARGV[1])
local key, amount, period, permits = LIMIT .. returned[1], returned[2], returned[3], returned[4]
local earned = tonumber(redis.call('GET', key) or 0) - permits * period / amount
if earned <= now then
  redis.call('DEL', key)
else
  redis.call('SET', key, string.format('%.3f', earned), 'PX', math.ceil(earned - now))
end
