-- Prepended to every script, after the names of keys (from zypher_jobs.queue.keys).

-- The server's clock, for every time in Redis: whole milliseconds, and with microseconds as a fraction.
local function clock()
  local time = redis.call('TIME')
  local exactly = time[1] * 1000 + time[2] / 1000
  return math.floor(exactly), exactly
end

-- With its memory full, Redis refuses the first write of a script and lets the rest of one that has written go on. This one needs
-- no memory: what runs keeps its lease and is ended, and only what is new is refused.
local function even_when_full() redis.call('PERSIST', NOTHING) end

-- What happened, for those who follow: bounded, read by id; one entry for what one script did, but EVENTS_AT_ONCE at most.
local happened = {}
local function event(id, status, model, attempt, worker)
  happened[#happened + 1] = {id, status, model, attempt, worker}
end
local function write_events(now)
  for first = 1, #happened, EVENTS_AT_ONCE do
    local some = {unpack(happened, first, math.min(#happened, first + EVENTS_AT_ONCE - 1))}
    redis.call('XADD', EVENTS, 'MAXLEN', '~', EVENTS_KEPT, '*', 'at_ms', now, 'events', cmsgpack.pack(some))
  end
end

-- From one status to the next, many at once: {id, created ms} pairs leave one list and enter another.
local function move(from, to, moved)
  if #moved == 0 then return end
  local out, into = {}, {}
  for i, one in ipairs(moved) do
    out[i] = one[1]
    into[2 * i - 1], into[2 * i] = one[2], one[1]
  end
  if from then redis.call('ZREM', LIST .. from, unpack(out)) end
  redis.call('ZADD', LIST .. to, unpack(into))
end

-- Takes the oldest off a list whose records have ended their time; twice as many as came, so that it never lags behind.
local function trim(status, came)
  for _, id in ipairs(redis.call('ZRANGE', LIST .. status, 0, math.min(2 * came, 1000) - 1)) do
    if redis.call('EXISTS', RECORD .. id) == 1 then return end
    redis.call('ZREM', LIST .. status, id)
  end
end

-- Scores and members, gathered for one ZADD or ZREM a key.
local function put(by_key, key, ...)
  local list = by_key[key]
  if not list then
    list = {}
    by_key[key] = list
  end
  for _, value in ipairs({...}) do list[#list + 1] = value end
end

-- How many predictions of a queue ended in the last RATE_BUCKETS buckets, and in how many ms: since the first that has any.
local function ended_lately(queue, now)
  local bucket, names = math.floor(now / RATE_BUCKET_MS), {}
  for back = RATE_BUCKETS - 1, 0, -1 do names[#names + 1] = string.format('%s%s:%.0f', RATE, queue, bucket - back) end
  local ended, over = 0, 0
  for i, count in ipairs(redis.call('MGET', unpack(names))) do
    if count and over == 0 then over = (RATE_BUCKETS - i) * RATE_BUCKET_MS + now % RATE_BUCKET_MS end
    ended = ended + tonumber(count or 0)
  end
  return ended, math.max(over, RATE_BUCKET_MS)
end

-- Whether an attempt whose lease lapsed is still the last one, and its prediction has not ended. The record tells workers apart:
-- a hand-back gives its attempt's number back, and an id may be submitted anew once it was dropped. A job of arq's own client has
-- no record; its score tells a lease that lapsed, at a time that has passed, from a hand-back, to its turn or to a time that comes.
local function may_go_on(id, queue, token, attempt, now)
  local score = tonumber(redis.call('ZSCORE', queue, id))
  if not score or redis.call('GET', RETRY .. id) ~= tostring(attempt) then return false end
  local known = redis.call('HMGET', RECORD .. id, 'status', 'worker')
  if known[1] then return known[1] == 'running' and known[2] .. '/' .. attempt == token end
  return score >= TURNS_END and score <= now
end

-- Field of a record: who lost the attempt of that number, while it counts as lost with its worker.
local COUNTED = 'counted:'

-- An attempt that was not the last one, in the record beside those before it: what is known of the last one are fields of its own.
local function past_attempt(id, number, started_ms, ended_ms, worker, code, message)
  redis.call('HSET', RECORD .. id, 'attempt:' .. number, cjson.encode({
    started_at_ms = tonumber(started_ms or ended_ms), finished_at_ms = ended_ms, worker = worker, error_code = code, error_message = message,
  }))
end
