-- Prepended to finish.lua: tells those who wait for a prediction how it ended, with all that they would read.
-- The message is a frame of the record's fields and arq's result; an empty one says that they shall read for themselves.
local function announce(id, result)
  if listeners(DONE .. id) == 0 then return end
  local message = ''
  if #result <= ANNOUNCED_BYTES then message = frame(redis.call('HGETALL', RECORD .. id), {result}) end
  redis.call('PUBLISH', DONE .. id, message)
end
