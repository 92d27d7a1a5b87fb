-- Grants permits of rates: the generic cell rate algorithm (ITU-T I.371), which needs one number for each rate.
-- KEYS  none beyond those of the header
-- ARGV  1 MessagePack list of {name of the rate, how many, in so many ms, permits wanted, the fewest that are of use}
-- Returns for each {permits granted, 0 if fewer than that were left; permits left; ms until the fewest there can be: 0 if there
--         were, -1 if there never can; ms until all are back}.
-- Invariant: in no time t are more granted than how many · (1 + t / in so many ms), whoever asks.
-- The number is when all that was granted will be earned again, on this server's clock; it goes when that is past.
local _, now = clock()
local answers = {}
for i, asked in ipairs(cmsgpack.unpack(ARGV[1])) do
  local key, amount, period, wanted, least = LIMIT .. asked[1], asked[2], asked[3], asked[4], asked[5]
  local each = period / amount
  local earned = math.max(now, tonumber(redis.call('GET', key) or 0))
  -- a thousandth of a permit may be lost to rounding
  local left = math.floor((now + period - earned) / each + 0.001)
  local granted = left >= least and math.min(left, wanted) or 0
  if granted > 0 then
    earned = earned + granted * each
    redis.call('SET', key, string.format('%.3f', earned), 'PX', math.ceil(math.max(1, earned - now)))
  end
  local missing = 0
  if granted == 0 then missing = least > amount and -1 or math.ceil(math.max(1, earned + least * each - period - now)) end
  answers[i] = {granted, left - granted, missing, math.ceil(earned - now)}
end
return answers
