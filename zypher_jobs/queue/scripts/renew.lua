-- Renews the leases a worker holds, and tells which predictions are to be canceled.
-- KEYS  none beyond those of the header
-- ARGV  1 lease ms  then for each lease: id, queue, token, attempt
-- Returns {{ids whose lease is lost}, {ids to cancel}}.
-- Invariant: a lease that lapsed is taken up again only while nobody claimed the prediction since and it has not ended.
even_when_full()
local now = clock()
local lost, aborted = {}, {}
local aborts = redis.call('EXISTS', ABORT) == 1
for i = 2, #ARGV, 4 do
  local id, queue, token, attempt = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local holder = redis.call('GET', IN_PROGRESS .. id)
  if holder == token or not holder and may_go_on(id, queue, token, attempt, now) then
    redis.call('SET', IN_PROGRESS .. id, token, 'PX', ARGV[1])
    redis.call('ZADD', queue, 'XX', now + ARGV[1], id)
    if aborts and redis.call('ZSCORE', ABORT, id) then aborted[#aborted + 1] = id end
  else
    lost[#lost + 1] = id
  end
end
return {lost, aborted}
