-- Records predictions that ended outside a lease: synchronous ones, and those that a stock arq worker ran.
-- KEYS  none beyond those of the header
-- ARGV  1 retention ms  2 synchronous records kept
--       3 MessagePack list of {id, model, mode, status, wait bucket, wait us, run bucket, run us, total bucket, created ms,
--         {field, value, …} or nil}
--         without fields the prediction is only counted.
--       4 and on: the output of each as MessagePack, empty for none (cmsgpack reads no binary strings)
-- Returns how many records were written.
local written, now, listed = 0, clock(), {}
for i, ended in ipairs(cmsgpack.unpack(ARGV[3])) do
  local id, mode, fields = ended[1], ended[3], ended[11]
  tally(ended[2], mode, ended[4], ended[5], ended[6], ended[7], ended[8], ended[9])
  if fields then
    written = written + 1
    if ARGV[3 + i] ~= '' then
      fields[#fields + 1] = 'output'
      fields[#fields + 1] = ARGV[3 + i]
    end
    local record = RECORD .. id
    redis.call('HSET', record, unpack(fields))
    redis.call('PEXPIRE', record, ARGV[1])
    if mode == 'sync' then
      listed[#listed + 1], listed[#listed + 2] = ended[10], id
    else
      local known = redis.call('HMGET', record, 'created_at_ms', 'attempts', 'worker')
      redis.call('ZREM', LIST .. 'running', id)
      move('queued', ended[4], {{id, known[1] or ended[10]}})
      trim(ended[4], 1)
      event(id, ended[4], ended[2], tonumber(known[2] or 1), known[3] or '')
      tell(id, {id}, '', ended[4], now)
    end
  end
end
if #listed > 0 then redis.call('ZADD', SYNC_LIST, unpack(listed)) end
local surplus = redis.call('ZCARD', SYNC_LIST) - ARGV[2]
if surplus > 0 then
  local oldest = redis.call('ZPOPMIN', SYNC_LIST, math.min(surplus, 1000))
  local records = {}
  for i = 1, #oldest, 2 do records[#records + 1] = RECORD .. oldest[i] end
  redis.call('UNLINK', unpack(records))
end
write_tallies(COUNTS, LATENCY)
write_events(now)
return written
