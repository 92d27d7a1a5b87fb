-- Prepended to every script, after the names of keys (from zypher_jobs.queue.keys).

-- The server's clock, for every time in Redis: whole milliseconds, and with microseconds as a fraction.
local function clock()
  local time = redis.call('TIME')
  local exactly = time[1] * 1000 + time[2] / 1000
  return math.floor(exactly), exactly
end

-- An idle worker waits on this list; one token wakes one worker, and a full one does not take it.
local function wake()
  if redis.call('LLEN', WAKE) == 0 then redis.call('LPUSH', WAKE, '1') end
end

-- What happened, for those who follow: bounded, read by id.
local function event(id, status, model, attempt, worker)
  redis.call('XADD', EVENTS, 'MAXLEN', '~', EVENTS_KEPT, '*', 'id', id, 'status', status, 'model', model, 'attempt', attempt, 'worker', worker)
end

-- From one status to the next: the record's field, the lists, the event. created is the score in both lists.
local function move(id, record, from, to, created, model, attempt, worker)
  redis.call('ZREM', LIST .. from, id)
  redis.call('ZADD', LIST .. to, created, id)
  event(id, to, model, attempt, worker)
end

-- How many queued predictions ended in the last 20 to 30 s, and in how many ms.
local function ended_lately(now)
  local bucket, ended = math.floor(now / RATE_BUCKET_MS), 0
  for back = 0, 2 do ended = ended + tonumber(redis.call('GET', RATE .. string.format('%.0f', bucket - back)) or 0) end
  return ended, 2 * RATE_BUCKET_MS + now % RATE_BUCKET_MS
end
