-- Ends one attempt as nearly all end: the first, succeeded, its lease still the worker's, a record, nobody who asked to cancel
-- anything. A worker that waits for one prediction after the other spends half of its time here, so this does what finish.lua
-- would do, in a straight line; whatever is unusual it leaves to that, untouched.
-- KEYS  the worker's queues if it is to be idle, else none
-- ARGV  1 retention ms  2 worker id  3 its lease ms  4 the places it has left  5 id  6 queue  7 token  8 model  9 result
--       10 result ttl ms  11 preview  12 output bytes  13 run us  14 wait us  15 buckets as of tally.lua  16 started ms
--       17 the version that answered if it is another than was asked for, or ''
-- Returns {1 if the worker is registered as idle now, ms until something is due that was deferred or -1}, or false if it did nothing.
local id, worker, model = ARGV[5], ARGV[2], ARGV[8]
local created = redis.call('ZSCORE', LIST .. 'running', id)
local asked = redis.call('EXISTS', ABORT, WEBHOOKS)
if not created or asked > 0 and redis.call('EXISTS', ABORT) == 1 or redis.call('GET', IN_PROGRESS .. id) ~= ARGV[7] then return false end
even_when_full()
local now, exactly = clock()
local record = RECORD .. id
redis.call('SET', RESULT .. id, ARGV[9], 'PX', ARGV[10])
redis.call('HSET', record, 'status', 'succeeded', 'finished_at_ms', now, 'run_us', ARGV[13], 'output_preview', ARGV[11], 'output_bytes', ARGV[12])
if ARGV[17] ~= '' then redis.call('HSET', record, 'version', ARGV[17]) end
redis.call('PEXPIRE', record, ARGV[1])
redis.call('DEL', IN_PROGRESS .. id, RETRY .. id, JOB .. id)
redis.call('ZREM', ARGV[6], id)
redis.call('ZREM', LIST .. 'running', id)
redis.call('ZADD', LIST .. 'succeeded', created, id)
if now % TRIM_EVERY == 0 then trim('succeeded', TRIM_EVERY) end
local known = redis.call('HMGET', record, 'reply_to', 'watchers', 'story', 'webhook')
if known[1] and known[1] ~= '' then
  local head = {id}
  if #ARGV[9] <= TOLD_BYTES and not known[3] then
    head = {id, 'succeeded', now, tonumber(ARGV[16]), tonumber(ARGV[13]), 1, worker, tonumber(ARGV[12]), '', '', ARGV[17]}
  end
  tell_clients(known[1], frame(head, {head[2] and ARGV[9] or ''}))
end
if known[3] then close_story(id) end
notify(id, known[2])
if asked > 0 or known[4] then deliver(id, 'succeeded', now, known[4]) end
local rate = string.format('%s%s:%.0f', RATE, ARGV[6], math.floor(now / RATE_BUCKET_MS))
if redis.call('INCRBY', rate, 1) == 1 then redis.call('PEXPIRE', rate, RATE_TTL_MS) end
redis.call('HINCRBY', COUNTS, model .. '|async|succeeded', 1)
redis.call('HINCRBY', LATENCY, model .. '|async|at|' .. ARGV[15], 1)
redis.call('HINCRBY', LATENCY, model .. '|async|wait|sum', ARGV[14])
redis.call('HINCRBY', LATENCY, model .. '|async|run|sum', ARGV[13])
event(id, 'succeeded', model, 1, worker)
write_events(now)
if #KEYS == 0 then return {0, -1} end
local due_ms = first_due(KEYS, exactly)
if due_ms == 0 then return {0, -1} end
register(worker, ARGV[4], ARGV[3])
return {1, due_ms}
