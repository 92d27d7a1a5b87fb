-- Prepended to claim.lua and expire.lua.
-- Puts predictions ({id, queue, score} each) under leases: the token in arq's in-progress key, the lease's end as the score.
-- Returns a frame of rows {id, queue, score, attempt, token, bytes of the job or -1, lost, expired, aborted ms or 0,
-- created ms or 0, suspect} and their jobs.
-- An attempt that began and was never reported counts as lost when its worker died; not when that was heard of after it last
-- renewed the lease: then only the claim's reply was lost, or the worker was away for a while.
-- An abort that came while nobody held the prediction is taken with it; a later one is seen by the next renewal.
-- Whether nothing else's lease lapsed about when this one did: leases of a worker are renewed together.
local function was_alone(lease_ended_ms, lease_ms, now)
  local lapsed = 0
  for _, queue in ipairs(KEYS) do lapsed = lapsed + redis.call('ZCOUNT', queue, lease_ended_ms - lease_ms / 2, now) end
  return lapsed < 2
end

-- What is known of a prediction whose lease lapsed: its attempts that were lost, this one among them, and whether it is a suspect:
-- lost twice, and beside others, so that it shows only when it runs without another suspect which of them kills its workers.
local function loss_of(id, lease_ended_ms, lease_ms, now)
  local last = redis.call('HMGET', RECORD .. id, 'worker', 'started_at_ms', 'lost', 'suspect')
  local heard_ms = last[1] and tonumber(redis.call('ZSCORE', WORKERS, last[1]) or 0) or 0
  local lost = tonumber(last[3] or 0)
  local counts = heard_ms <= lease_ended_ms - lease_ms / 2
  if counts then lost = lost + 1 end
  local suspect = last[4] or lost >= SUSPECT_AFTER and not was_alone(lease_ended_ms, lease_ms, now)
  return {worker = last[1] or '', started_ms = last[2], lost = lost, counts = counts, suspect = suspect and true or false}
end

local function lose(id, attempt, loss, now)
  past_attempt(id, attempt, loss.started_ms, now, loss.worker, 'worker_lost', 'Its worker never reported back.')
  event(id, 'lost', '', attempt, loss.worker)
  redis.call('HSET', RECORD .. id, 'lost', loss.lost)
  if loss.counts then redis.call('HSET', RECORD .. id, COUNTED .. attempt, loss.worker) end
end

-- Takes suspects out of what was chosen, but for one if the worker runs none: they are looked at again in a moment.
local function without_suspects(chosen, lease_ms, now, runs_one)
  local kept = {}
  for _, one in ipairs(chosen) do
    local id, suspect = one[1], redis.call('HGET', RECORD .. one[1], 'suspect')
    if not suspect and redis.call('ZSCORE', LIST .. 'running', id) and loss_of(id, one[3], lease_ms, now).suspect then
      redis.call('HSET', RECORD .. id, 'suspect', 1)
      suspect = true
    end
    if suspect and runs_one then
      redis.call('ZADD', one[2], now + SUSPECT_AGAIN_MS, id)
    else
      kept[#kept + 1] = one
      runs_one = runs_one or suspect
    end
  end
  return kept
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
  local watched = redis.call('EXISTS', WATCHED) == 1
  local aborts = redis.call('EXISTS', ABORT) == 1 and redis.call('ZMSCORE', ABORT, unpack(ids))
  local rows, found, started = {}, {}, {}
  for i, id in ipairs(ids) do
    local record, attempt, lost = RECORD .. id, tonumber(attempts[i] or 0) + 1, 0
    local suspect = false
    local token = worker .. '/' .. attempt
    redis.call('SET', RETRY .. id, attempt, 'PX', retry_ttl_ms)
    redis.call('SET', IN_PROGRESS .. id, token, 'PX', lease_ms)
    local known = waiting[i]
    if known then
      if attempt > 1 then
        local stands = redis.call('HMGET', record, 'lost', 'suspect')
        lost, suspect = tonumber(stands[1] or 0), stands[2] and true or false
      end
    else
      known = redis.call('ZSCORE', LIST .. 'running', id)
      if known then
        local loss = loss_of(id, chosen[i][3], lease_ms, now)
        lose(id, attempt - 1, loss, now)
        lost, suspect = loss.lost, loss.suspect
      end
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
      if watched then notify(id, redis.call('HGET', record, 'watchers')) end
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
    rows[i] = {id, chosen[i][2], math.floor(chosen[i][3]), attempt, token, job and #job or -1, lost, expired, aborted, tonumber(created), suspect}
  end
  for queue, scores in pairs(ends) do redis.call('ZADD', queue, unpack(scores)) end
  move('queued', 'running', started)
  write_events(now)
  return frame(rows, found)
end
