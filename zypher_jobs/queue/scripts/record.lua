-- Records predictions that ended outside a lease: synchronous ones, and those that a stock arq worker ran.
-- KEYS  1 zypher:predictions:sync  2 zypher:counts  3 zypher:latency
-- ARGV  1 retention ms  2 synchronous records kept  3 zypher:prediction:  4 zypher:done:
--       5 MessagePack list of {id, model, mode, status, wait bucket, wait us, run bucket, run us, created ms, {field, value, …} or nil}
--         without fields the prediction is only counted.
--       6 and on: the output of each as MessagePack, empty for none (cmsgpack reads no binary strings)
-- Returns how many records were written.
local written = 0
for i, ended in ipairs(cmsgpack.unpack(ARGV[5])) do
  local id, mode, fields = ended[1], ended[3], ended[10]
  tally(ended[2], mode, ended[4], ended[5], ended[6], ended[7], ended[8])
  if fields then
    written = written + 1
    if ARGV[5 + i] ~= '' then
      fields[#fields + 1] = 'output'
      fields[#fields + 1] = ARGV[5 + i]
    end
    redis.call('HSET', ARGV[3] .. id, unpack(fields))
    redis.call('PEXPIRE', ARGV[3] .. id, ARGV[1])
    if mode == 'sync' then
      redis.call('ZADD', KEYS[1], ended[9], id)
    else
      redis.call('PUBLISH', ARGV[4] .. id, ended[4])
    end
  end
end
write_tallies(KEYS[2], KEYS[3])
local surplus = redis.call('ZCARD', KEYS[1]) - ARGV[2]
if surplus > 0 then
  local oldest = redis.call('ZPOPMIN', KEYS[1], surplus)
  for i = 1, #oldest, 2 do
    redis.call('UNLINK', ARGV[3] .. oldest[i])
  end
end
return written
