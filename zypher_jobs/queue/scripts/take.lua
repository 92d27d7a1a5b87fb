-- Prepended to claim.lua and expire.lua.
-- Puts one prediction under a lease: the token in arq's in-progress key, the lease's end as its score. Returns what the worker needs.
-- An attempt that began and was never reported, as when its worker died, counts as lost.
local function take(id, queue, worker, lease_ms, retry_ttl_ms, now, score)
  local attempt = redis.call('INCR', RETRY .. id)
  redis.call('PEXPIRE', RETRY .. id, retry_ttl_ms)
  local token = worker .. '/' .. attempt
  redis.call('SET', IN_PROGRESS .. id, token, 'PX', lease_ms)
  redis.call('ZADD', queue, now + lease_ms, id)
  local record = RECORD .. id
  local known = redis.call('HMGET', record, 'status', 'model', 'created_at_ms', 'deadline_ms')
  local lost, deadline = 0, tonumber(known[4] or 0)
  if known[1] then
    if known[1] == 'running' then
      lost = redis.call('HINCRBY', record, 'lost', 1)
      event(id, 'lost', known[2], attempt - 1, '')
    else
      lost = tonumber(redis.call('HGET', record, 'lost') or 0)
    end
    if deadline > 0 then redis.call('ZREM', DEADLINES, id) end
    redis.call('HSET', record, 'status', 'running', 'attempts', attempt, 'started_at_ms', now, 'worker', worker)
    move(id, record, 'queued', 'running', known[3], known[2], attempt, worker)
  end
  return {id, queue, string.format('%.0f', score), attempt, token, redis.call('GET', JOB .. id), lost, deadline > 0 and deadline <= now and 1 or 0}
end
