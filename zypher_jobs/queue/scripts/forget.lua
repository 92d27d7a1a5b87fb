-- Drops dead letters: what they were asked, why they failed, what they said.
-- KEYS  none beyond those of the header
-- ARGV  1 and on: ids
-- Returns how many there were.
local count = 0
for _, id in ipairs(ARGV) do
  local removed = redis.call('ZREM', DEAD, id)
  count = count + removed
  if removed == 1 then
    redis.call('ZREM', LIST .. 'failed', id)
    redis.call('UNLINK', RECORD .. id, RESULT .. id, STORY .. id)
  end
end
return count
