-- Prepended to what changes what those see who watch a prediction.

-- Tells their processes, whose client ids these are, that there is something to read.
local function notify(id, watchers)
  if not watchers then return end
  for client in string.gmatch(watchers, '%S+') do redis.call('PUBLISH', WATCH .. client, id) end
end
