-- Cancels one prediction: at once if nobody holds it; if it runs, its worker is told by its next renewal.
-- KEYS  none beyond those of the header
-- ARGV  1 id  2 its result as canceled, in arq's format  3 retention ms
-- Returns {the status it has now: "canceled", "running" (it stops soon), the terminal one it had, or false if it is unknown;
--         1 if that is this call's doing, 0 if somebody else was quicker or it had ended}.
-- Invariant: one terminal write; a prediction that a worker holds is ended by that worker.
local id = ARGV[1]
even_when_full()
local now = clock()
local record = RECORD .. id
local known = redis.call('HMGET', record, 'status', 'model', 'created_at_ms', 'queue', 'attempts')
local status = known[1]
if (status == 'queued' or status == 'running') and redis.call('EXISTS', IN_PROGRESS .. id) == 0 then
  redis.call('SET', RESULT .. id, ARGV[2], 'PX', ARGV[3])
  redis.call('DEL', JOB .. id, RETRY .. id)
  redis.call('ZREM', known[4], id)
  redis.call('ZREM', DEADLINES, id)
  redis.call('ZREM', ABORT, id)
  redis.call('HSET', record, 'status', 'canceled', 'finished_at_ms', now, 'error_code', 'canceled', 'error_message', 'The prediction was canceled.')
  redis.call('PEXPIRE', record, ARGV[3])
  redis.call('ZREM', LIST .. 'running', id)
  move('queued', 'canceled', {{id, known[3]}})
  trim('canceled', 1)
  event(id, 'canceled', known[2], tonumber(known[5] or 0), '')
  write_events(now)
  tally(known[2], 'async', 'canceled')
  write_tallies(COUNTS, LATENCY)
  tell(id, {id}, '', 'canceled', now)
  return {'canceled', 1}
end
if status == 'running' or status == 'queued' then
  return {'running', redis.call('ZADD', ABORT, now, id)}
end
return {status, 0}
