-- Forgets predictions that ended: drops dead letters, or takes the mark off those that were replayed.
-- KEYS  none beyond those of the header
-- ARGV  1 "drop" or "replayed"  2 and on: ids
-- Returns how many there were.
local count = 0
for i = 2, #ARGV do
  local id = ARGV[i]
  local removed = redis.call('ZREM', DEAD, id)
  count = count + removed
  if removed == 1 and ARGV[1] == 'drop' then
    redis.call('ZREM', LIST .. 'failed', id)
    redis.call('UNLINK', RECORD .. id, RESULT .. id, STORY .. id)
  end
end
return count
