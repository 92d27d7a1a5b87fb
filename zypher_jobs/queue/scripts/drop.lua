-- Forgets predictions that ended, dead letters or not: what they were asked, what they answered, what they said.
-- KEYS  none beyond those of the header
-- ARGV  1 and on: ids
-- Returns for each: 1 it is forgotten, 0 it is unknown, -1 it has not ended.
-- Invariant: what waits or runs stays as it is.
local reply = {}
for i, id in ipairs(ARGV) do
  local status = redis.call('HGET', RECORD .. id, 'status')
  if not status then
    reply[i] = 0
  elseif (status == 'queued' or status == 'running') and redis.call('EXISTS', RESULT .. id) == 0 then
    reply[i] = -1
  else
    redis.call('ZREM', DEAD, id)
    redis.call('ZREM', LIST .. status, id)
    redis.call('ZREM', SYNC_LIST, id)
    redis.call('UNLINK', RECORD .. id, RESULT .. id, STORY .. id)
    reply[i] = 1
  end
end
return reply
