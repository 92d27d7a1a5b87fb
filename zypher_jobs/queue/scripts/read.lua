-- Reads one prediction: its record, its result, and how far it is from being claimed.
-- KEYS  none beyond those of the header
-- ARGV  1 id
-- Returns {field, value, …}, result or false, predictions ahead or -1, predictions ended lately, over ms.
local fields = redis.call('HGETALL', RECORD .. ARGV[1])
local ahead, ended, over = -1, 0, 0
local status, queue
for i = 1, #fields, 2 do
  if fields[i] == 'status' then status = fields[i + 1] elseif fields[i] == 'queue' then queue = fields[i + 1] end
end
if status == 'queued' and queue then
  local now = clock()
  local score = redis.call('ZSCORE', queue, ARGV[1])
  if score then ahead = redis.call('ZCOUNT', queue, '-inf', '(' .. score) end
  ended, over = ended_lately(queue, now)
end
return {fields, redis.call('GET', RESULT .. ARGV[1]), ahead, ended, over}
