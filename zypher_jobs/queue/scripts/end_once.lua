-- Ends a try of a request that has an idempotency key, if the lease is still its own.
-- KEYS  none beyond those of the header
-- ARGV  1 digest of the caller and its key  2 token of the try  3 'answered', 'left' (what it queued goes on: the next try finds it)
--       or 'forgotten' (nothing of it remains: the next try is the first)  4 the answer  5 lifetime ms
-- Returns 1, or 0 if the lease went to another try.
local key = ONCE .. ARGV[1]
if redis.call('HGET', key, 'token') ~= ARGV[2] then return 0 end
if ARGV[3] == 'answered' then
  redis.call('HSET', key, 'answer', ARGV[4])
  redis.call('PEXPIRE', key, ARGV[5])
elseif ARGV[3] == 'left' then
  redis.call('HSET', key, 'lease_until_ms', 0)
else
  redis.call('UNLINK', key)
end
return 1
