-- Has predictions that wait for a later time be due at once, as if that time had come: a retry that pauses, or what was deferred.
-- KEYS  none beyond those of the header
-- ARGV  1 "1" only to look  2 and on: ids
-- Returns for each: "retried" it is due now, or would be; "due" it was due before, and waits for its turn; "running" somebody holds it;
--         "ended"; false if it is unknown.
-- Invariant: only what nobody holds and what is due later is moved, and only within its queue: its attempts, its deadline, an abort
--         stay as they are. Those of one call keep their order, behind what fell due by time before them; turns alternate with these.
local is_look = ARGV[1] == '1'
if not is_look then even_when_full() end
local now, exactly = clock()
local reply, later, places = {}, {}, {}
local seen = {}
for at = 2, #ARGV do
  local id = ARGV[at]
  local known = redis.call('HMGET', RECORD .. id, 'status', 'queue', 'model', 'attempts', 'watchers')
  local status, queue = known[1], known[2]
  local state
  if not status then
    state = false
  elseif status ~= 'queued' and status ~= 'running' or redis.call('EXISTS', RESULT .. id) == 1 then
    state = 'ended'
  elseif status == 'running' or redis.call('EXISTS', IN_PROGRESS .. id) == 1 then
    state = 'running'
  else
    local score = tonumber(redis.call('ZSCORE', queue, id) or 0)
    state = score > exactly and not seen[id] and 'retried' or 'due'
    if state == 'retried' then
      seen[id] = true
      later[#later + 1] = {id = id, queue = queue, score = score, model = known[3], attempts = tonumber(known[4] or 0), watchers = known[5]}
    end
  end
  reply[at - 1] = state
end
if is_look or #later == 0 then return reply end
table.sort(later, function(one, other) return one.score < other.score end)
for at, one in ipairs(later) do
  put(places, one.queue, exactly - (#later - at) / 1000, one.id)
  redis.call('HDEL', RECORD .. one.id, 'due_at_ms')
  event(one.id, 'queued', one.model, one.attempts, '')
  notify(one.id, one.watchers)
end
for queue, scores in pairs(places) do redis.call('ZADD', queue, 'XX', unpack(scores)) end
write_events(now)
wake()
return reply
