-- Prepended to claim.lua and expire.lua.
-- Puts predictions ({id, queue, score} each) under leases: the token in arq's in-progress key, the lease's end as the score.
-- Returns what the worker needs of each. An attempt that began and was never reported, as when its worker died, counts as lost.
-- An abort that came while nobody held the prediction is taken with it; a later one is seen by the next renewal.
local function take_all(chosen, worker, lease_ms, retry_ttl_ms, now)
  if #chosen == 0 then return {} end
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
  local rows, started = {}, {}
  for i, id in ipairs(ids) do
    local record, attempt, lost = RECORD .. id, tonumber(attempts[i] or 0) + 1, 0
    local token = worker .. '/' .. attempt
    redis.call('SET', RETRY .. id, attempt, 'PX', retry_ttl_ms)
    redis.call('SET', IN_PROGRESS .. id, token, 'PX', lease_ms)
    local known = waiting[i]
    if known then
      if attempt > 1 then lost = tonumber(redis.call('HGET', record, 'lost') or 0) end
    elseif redis.call('ZSCORE', LIST .. 'running', id) then
      known = true
      lost = redis.call('HINCRBY', record, 'lost', 1)
      event(id, 'lost', '', attempt - 1, '')
    end
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
    local expired = 0
    if deadlines and deadlines[i] then
      redis.call('ZREM', DEADLINES, id)
      if tonumber(deadlines[i]) <= now then expired = 1 end
    end
    local aborted = aborts and aborts[i]
    if aborted then redis.call('ZREM', ABORT, id) end
    -- the abort of a prediction with a record is of this one: its submit forgot those before
    aborted = aborted and (known and ANY_TIME or tonumber(aborted)) or 0
    rows[i] = {id, chosen[i][2], string.format('%.0f', chosen[i][3]), attempt, token, bodies[i], lost, expired, aborted}
  end
  for queue, scores in pairs(ends) do redis.call('ZADD', queue, unpack(scores)) end
  move('queued', 'running', started)
  write_events(now)
  return rows
end
