-- Begins a request that has an idempotency key, or says what became of the one that had it before.
-- KEYS  none beyond those of the header
-- ARGV  1 digest of the caller and its key  2 fingerprint of the request  3 id that its prediction would have, the token of this try
--       4 lease ms  5 lifetime ms
-- Returns {1, id that its prediction has, 1 if that is known already} if it is to be run now; {2, ms until its lease ends} while
--         another try runs it; {3, the answer} if it was answered; {4} if the key is that of another request.
-- Invariant: of all tries with one key, one at a time has the lease, and none after an answer. The id stays that of the first
--         try: what it queued before it died is found again, and not queued twice.
local key, now = ONCE .. ARGV[1], clock()
local known = redis.call('HMGET', key, 'fingerprint', 'token', 'lease_until_ms', 'prediction_id', 'answer')
if known[1] then
  if known[1] ~= ARGV[2] then return {4} end
  if known[5] then return {3, known[5]} end
  -- a try that asks again has lost the reply
  if known[2] ~= ARGV[3] and tonumber(known[3]) > now then return {2, tonumber(known[3]) - now} end
end
local id = known[4] or ARGV[3]
redis.call('HSET', key, 'fingerprint', ARGV[2], 'token', ARGV[3], 'lease_until_ms', now + ARGV[4], 'prediction_id', id)
redis.call('PEXPIRE', key, ARGV[4] + ARGV[5])
return {1, id, redis.call('EXISTS', RECORD .. id)}
