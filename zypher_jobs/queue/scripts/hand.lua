-- Hands one new prediction to an idle worker, as submit.lua would, in a straight line; with none idle, or whatever else is unusual,
-- it does nothing and leaves it to that.
-- KEYS  none beyond those of the header
-- ARGV  1 id  2 queue  3 model  4 version  5 caller  6 input preview  7 input bytes  8 record ttl ms  9 time to live ms or 0
--       10 id of the client that waits for it or ''  11 job ttl ms  12 its job  13 its trace or ''
-- Returns now ms, or false if it did nothing.
local id, queue, job = ARGV[1], ARGV[2], ARGV[12]
local record = RECORD .. id
if #job > HANDED_BYTES or redis.call('EXISTS', record, JOB .. id, ABORT, PAUSED) > 0 then return false end
local found = redis.call('HRANDFIELD', IDLE, 1, 'WITHVALUES')
local worker = found[1]
if not worker or listeners(WORK .. worker) == 0 then return false end
local lease_ms = tonumber(string.match(found[2], ' (%d+)$'))
local now = clock()
local token = worker .. '/1'
redis.call('SET', JOB .. id, job, 'PX', ARGV[11])
redis.call('SET', RETRY .. id, 1, 'PX', ARGV[11])
redis.call('SET', IN_PROGRESS .. id, token, 'PX', lease_ms)
redis.call('HSET', record, 'status', 'running', 'model', ARGV[3], 'version', ARGV[4], 'mode', 'async', 'queue', queue, 'caller', ARGV[5],
  'created_at_ms', now, 'input_preview', ARGV[6], 'input_bytes', ARGV[7], 'deadline_ms', ARGV[9] == '0' and 0 or now + ARGV[9],
  'replay_of', '', 'reply_to', ARGV[10], 'attempts', 1, 'started_at_ms', now, 'worker', worker)
if ARGV[13] ~= '' then redis.call('HSET', record, 'trace', ARGV[13]) end
redis.call('PEXPIRE', record, ARGV[8])
redis.call('ZADD', queue, now + lease_ms, id)
redis.call('ZADD', LIST .. 'running', now, id)
event(id, 'queued', ARGV[3], 0, '')
event(id, 'running', '', 1, worker)
write_events(now)
redis.call('HDEL', IDLE, worker)
redis.call('PUBLISH', WORK .. worker, frame({now, {{id, queue, 1, 1, token, #job, 0, false, 0, now}}}, {job}))
return now
