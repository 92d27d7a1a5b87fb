-- Prepended to what ends predictions.

-- Tells the clients that wait for a prediction how it ended, as zypher_jobs.queue.waiters reads it: a frame of {id, status,
-- finished ms, started ms, run us, attempt, worker, output bytes, error code, error message, version that answered if it is another
-- than was asked for} and arq's result, or of {id}
-- alone, which says that there is something to be read.
local function tell_clients(clients, message)
  for client in string.gmatch(clients, '%S+') do redis.call('PUBLISH', REPLIES .. client, message) end
end

-- Its story is for those who follow; what remains of interest stands in its record and its result.
local function close_story(id)
  if redis.call('PTTL', STORY .. id) > STORY_ENDED_TTL_MS then redis.call('PEXPIRE', STORY .. id, STORY_ENDED_TTL_MS) end
end

local function tell(id, head, result, status, now)
  local known = redis.call('HMGET', RECORD .. id, 'reply_to', 'watchers', 'story', 'webhook')
  if known[1] and known[1] ~= '' then
    -- what it said is read, too
    tell_clients(known[1], known[3] and frame({id}, {''}) or frame(head, {result}))
  end
  if known[3] then close_story(id) end
  notify(id, known[2])
  deliver(id, status, now, known[4])
end
