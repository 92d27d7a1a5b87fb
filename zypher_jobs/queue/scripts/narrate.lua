-- Writes what running predictions said to their stories, and wakes those who watch them.
-- KEYS  none beyond those of the header
-- ARGV  1 lifetime ms  2 MessagePack list of {id, attempt, began ms, number of the first entry, {{kind, JSON}, …}, progress or '', its message,
--         the last lines of the log or ''}
-- Returns for each 1, or 0 if it is not running in that attempt any more: nothing of it is written.
-- Invariant: an entry's id is when its attempt began and its number in it. So what is sent again is not written again, an attempt
--         that was lost cannot write behind the next one's, and a reader sees by the numbers what it missed.
--         A story is STORY_BYTES at most: the oldest entries go, a quarter at once.
local function size_of(entry) return #entry[2] + ENTRY_BYTES end

-- Takes off the oldest entries until no more than `most` bytes are left; how many there are then.
local function shorten(story, bytes, most)
  while bytes > most do
    local oldest = redis.call('XRANGE', story, '-', '+', 'COUNT', 64)
    if #oldest == 0 then return 0 end
    local last
    for _, entry in ipairs(oldest) do
      -- the fields: attempt, kind, data
      bytes, last = bytes - #entry[2][6] - ENTRY_BYTES, entry[1]
      if bytes <= most then break end
    end
    local began, number = string.match(last, '^(%d+)-(%d+)$')
    redis.call('XTRIM', story, 'MINID', began .. '-' .. string.format('%.0f', number + 1))
  end
  return bytes
end

local written = {}
for i, said in ipairs(cmsgpack.unpack(ARGV[2])) do
  local id, began, first = said[1], string.format('%.0f', said[3]), said[4]
  local record, story = RECORD .. id, STORY .. id
  local known = redis.call('HMGET', record, 'status', 'started_at_ms', 'story', 'watchers')
  written[i] = 0
  if known[1] == 'running' and known[2] == began then
    written[i] = 1
    local last_began, last, bytes = string.match(known[3] or '', '^(%d+)-(%d+) (%d+)$')
    last = last_began == began and tonumber(last) or 0
    bytes = tonumber(bytes or 0)
    for at, entry in ipairs(said[5]) do
      local number = first + at - 1
      if number > last then
        redis.call('XADD', story, began .. '-' .. string.format('%.0f', number), 'attempt', said[2], 'kind', entry[1], 'data', entry[2])
        bytes, last = bytes + size_of(entry), number
      end
    end
    if bytes > STORY_BYTES then bytes = shorten(story, bytes, STORY_BYTES * 3 / 4) end
    redis.call('PEXPIRE', story, ARGV[1])
    redis.call('HSET', record, 'story', string.format('%s-%.0f %.0f', began, last, bytes))
    if said[6] ~= '' then redis.call('HSET', record, 'progress', said[6], 'progress_message', said[7], 'progress_of', began) end
    if said[8] ~= '' then redis.call('HSET', record, 'log', said[8]) end
    notify(id, known[4])
  end
end
return written
