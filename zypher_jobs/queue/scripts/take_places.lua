-- Gives predictions places among those of a key that may wait and run at once, all or none.
-- KEYS  none beyond those of the header
-- ARGV  1 id of the key  2 how many may  3 ms after which a place without a record is free again  4 and on: ids
-- Returns 1, or 0 if there are too few free places.
-- Invariant: no more than that many are between here and their end. A place is given back by those who run a prediction
--         themselves; that of one in the queue is free as soon as its record says that it has ended, which is looked at when all
--         places are taken.
local places, now = PLACES .. ARGV[1], clock()
local most, wanted = tonumber(ARGV[2]), #ARGV - 3
if wanted > most then return 0 end
local free = most - redis.call('ZCARD', places)
if free < wanted then
  for _, id in ipairs(redis.call('ZRANGE', places, 0, -1)) do
    local status = redis.call('HGET', RECORD .. id, 'status')
    local gone
    if status then
      gone = status ~= 'queued' and status ~= 'running' or redis.call('EXISTS', RESULT .. id) == 1
    else
      gone = now - redis.call('ZSCORE', places, id) > tonumber(ARGV[3])
    end
    if gone then free = free + redis.call('ZREM', places, id) end
  end
  if free < wanted then return 0 end
end
for i = 4, #ARGV do redis.call('ZADD', places, now, ARGV[i]) end
redis.call('PEXPIRE', places, PLACES_TTL_MS)
return 1
