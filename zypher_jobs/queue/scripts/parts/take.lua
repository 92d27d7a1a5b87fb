-- Prepended to claim.lua and expire.lua.
-- Puts predictions ({id, queue, score} each) under leases: the token in arq's in-progress key, the lease's end as the score.
-- Returns a frame of rows {id, queue, score, attempt, token, bytes of the job or -1, lost, expired, aborted ms or 0,
-- created ms or 0} and their jobs.
-- An attempt that began and was never reported counts as lost when its worker died; not when that was heard of after it last
-- renewed the lease: then only the claim's reply was lost, or the worker was away for a while.
-- An abort that came while nobody held the prediction is taken with it; a later one is seen by the next renewal.
local function lose(id, attempt, lease_ended_ms, lease_ms, now)
  local record = RECORD .. id
  local last = redis.call('HMGET', record, 'worker', 'started_at_ms', 'lost')
  past_attempt(id, attempt, last[2], now, last[1] or '', 'worker_lost', 'Its worker never reported back.')
  event(id, 'lost', '', attempt, last[1] or '')
  local heard_ms = last[1] and tonumber(redis.call('ZSCORE', WORKERS, last[1]) or 0) or 0
  if heard_ms > lease_ended_ms - lease_ms / 2 then return tonumber(last[3] or 0) end
  return redis.call('HINCRBY', record, 'lost', 1)
end

local function take_all(chosen, worker, lease_ms, retry_ttl_ms, now)
  if #chosen == 0 then return '' end
  local ids, retries, jobs, ends = {}, {}, {}, {}
  for i, one in ipairs(chosen) do
    ids[i], retries[i], jobs[i] = one[1], RETRY .. one[1], JOB .. one[1]
    put(ends, one[2], now + lease_ms, one[1])
  end
  local attempts = redis.call('MGET', unpack(retries))
  local bodies = redis.call('MGET', unpack(jobs))
  local waiting = redis.call('ZMSCORE', LIST .. 'queued', unpack(ids))
  local deadlines = redis.call('EXISTS', DEADLINES) == 1 and redis.call('ZMSCORE', DEADLINES, unpack(ids))
  local aborts = redis.call('EXISTS', ABORT) == 1 and redis.call('ZMSCORE', ABORT, unpack(ids))
  local rows, found, started = {}, {}, {}
  for i, id in ipairs(ids) do
    local record, attempt, lost = RECORD .. id, tonumber(attempts[i] or 0) + 1, 0
    local token = worker .. '/' .. attempt
    redis.call('SET', RETRY .. id, attempt, 'PX', retry_ttl_ms)
    redis.call('SET', IN_PROGRESS .. id, token, 'PX', lease_ms)
    local known = waiting[i]
    if known then
      if attempt > 1 then lost = tonumber(redis.call('HGET', record, 'lost') or 0) end
    else
      known = redis.call('ZSCORE', LIST .. 'running', id)
      if known then lost = lose(id, attempt - 1, chosen[i][3], lease_ms, now) end
    end
    local created = known or 0
    -- four new fields: the record, created with a status, has ended its time; what is left of it is no record
    if known and redis.call('HSET', record, 'status', 'running', 'attempts', attempt, 'started_at_ms', now, 'worker', worker) == 4 then
      redis.call('DEL', record)
      redis.call('ZREM', LIST .. 'queued', id)
      redis.call('ZREM', LIST .. 'running', id)
      known = nil
    end
    if known then
      if waiting[i] then started[#started + 1] = {id, waiting[i]} end
      event(id, 'running', '', attempt, worker)
    end
    local expired = false
    if deadlines and deadlines[i] then
      redis.call('ZREM', DEADLINES, id)
      if tonumber(deadlines[i]) <= now then expired = true end
    end
    local aborted = aborts and aborts[i]
    if aborted then redis.call('ZREM', ABORT, id) end
    -- the abort of a prediction with a record is of this one: its submit forgot those before
    aborted = aborted and (known and ANY_TIME or tonumber(aborted)) or 0
    local job = bodies[i]
    found[i] = job or ''
    rows[i] = {id, chosen[i][2], math.floor(chosen[i][3]), attempt, token, job and #job or -1, lost, expired, aborted, tonumber(created)}
  end
  for queue, scores in pairs(ends) do redis.call('ZADD', queue, unpack(scores)) end
  move('queued', 'running', started)
  write_events(now)
  return frame(rows, found)
end
