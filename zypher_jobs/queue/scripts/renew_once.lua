-- Renews the leases of requests that have idempotency keys and still run.
-- KEYS  none beyond those of the header
-- ARGV  1 lease ms  2 lifetime ms  3 and on: digest and token of each
-- Returns how many are still their own.
local held, now = 0, clock()
for i = 3, #ARGV, 2 do
  local key = ONCE .. ARGV[i]
  if redis.call('HGET', key, 'token') == ARGV[i + 1] then
    redis.call('HSET', key, 'lease_until_ms', now + ARGV[1])
    redis.call('PEXPIRE', key, ARGV[1] + ARGV[2])
    held = held + 1
  end
end
return held
