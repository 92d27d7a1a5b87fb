-- What one who watches a prediction reads: where it stands and what it said; its process is told from then on that there is more.
-- KEYS  none beyond those of the header
-- ARGV  1 id  2 the process's client id  3 the entry behind which to read  4 entries at most
-- Returns {status or false if it is unknown, attempts, 1 if it has ended, the entries}.
local id, client = ARGV[1], ARGV[2]
local record = RECORD .. id
local known = redis.call('HMGET', record, 'status', 'attempts', 'watchers')
if not known[1] then return {false, 0, 0, {}} end
-- a stock arq worker that gave up on one leaves a result and no status
local ended = known[1] ~= 'queued' and known[1] ~= 'running' or redis.call('EXISTS', RESULT .. id) == 1
if not ended then
  local watchers = known[3] or ''
  if not string.find(watchers, client, 1, true) then redis.call('HSET', record, 'watchers', watchers .. ' ' .. client) end
  if redis.call('PTTL', WATCHED) < WATCHED_TTL_MS / 2 then redis.call('SET', WATCHED, 1, 'PX', WATCHED_TTL_MS) end
end
return {known[1], tonumber(known[2] or 0), ended and 1 or 0, redis.call('XRANGE', STORY .. id, '(' .. ARGV[3], '+', 'COUNT', ARGV[4])}
