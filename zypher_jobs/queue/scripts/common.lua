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

-- With its memory full, Redis refuses the first write of a script and lets the rest of one that has written go on. This one needs
-- no memory: what runs keeps its lease and is ended, and only what is new is refused.
local function even_when_full() redis.call('PERSIST', WAKE) end

-- What happened, for those who follow: one entry for all that one script did, bounded, read by id.
local happened = {}
local function event(id, status, model, attempt, worker)
  happened[#happened + 1] = {id, status, model, attempt, worker}
end
local function write_events(now)
  if #happened > 0 then redis.call('XADD', EVENTS, 'MAXLEN', '~', EVENTS_KEPT, '*', 'at_ms', now, 'events', cmsgpack.pack(happened)) end
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

-- Scores and members, gathered for one ZADD or ZREM a key.
local function put(by_key, key, ...)
  local list = by_key[key]
  if not list then
    list = {}
    by_key[key] = list
  end
  for _, value in ipairs({...}) do list[#list + 1] = value end
end

-- How many queued predictions ended in the last 20 to 30 s, and in how many ms.
local function ended_lately(now)
  local bucket, ended = math.floor(now / RATE_BUCKET_MS), 0
  for back = 0, 2 do ended = ended + tonumber(redis.call('GET', RATE .. string.format('%.0f', bucket - back)) or 0) end
  return ended, 2 * RATE_BUCKET_MS + now % RATE_BUCKET_MS
end

-- Whether an attempt whose lease lapsed is still the last one, and its prediction has not ended. The record tells workers apart:
-- a hand-back gives its attempt's number back, and an id may be submitted anew once it was dropped.
local function may_go_on(id, queue, token, attempt)
  if redis.call('GET', RETRY .. id) ~= tostring(attempt) or not redis.call('ZSCORE', queue, id) then return false end
  local known = redis.call('HMGET', RECORD .. id, 'status', 'worker')
  return not known[1] or known[1] == 'running' and known[2] .. '/' .. attempt == token
end
