-- Renews the leases a worker holds.
-- KEYS  1 zypher:running
-- ARGV  1 lease ms  2 arq:in-progress:  3 arq:retry:  4 arq:job:  then for each lease: id, token, attempt
-- Returns the ids whose lease is lost.
-- Invariant: a lease that lapsed is taken up again only while nobody claimed the prediction since (same attempt) and it has not ended (its job is there).
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lost = {}
for i = 5, #ARGV, 3 do
  local id, token, attempt = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local holder = redis.call('GET', ARGV[2] .. id)
  if holder == token or (not holder and redis.call('GET', ARGV[3] .. id) == attempt and redis.call('EXISTS', ARGV[4] .. id) == 1) then
    redis.call('SET', ARGV[2] .. id, token, 'PX', ARGV[1])
    redis.call('ZADD', KEYS[1], now + ARGV[1], id)
  else
    lost[#lost + 1] = id
  end
end
return lost
