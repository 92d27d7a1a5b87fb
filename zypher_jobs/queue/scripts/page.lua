-- Reads one page of some lists, newest first: all of them at one instant, so that what moves between them is seen once.
-- KEYS  the lists
-- ARGV  1 rows  2 created ms  3 id: the page begins behind that place, whether or not something stands there; without them at the top
-- Returns for each list {id, score, …}, at most `rows` of them, newest first, of one score by id from the last to the first.
-- Cost: finds its place by halving, whatever the number of predictions of the same millisecond.
local rows, edge, id = tonumber(ARGV[1]), ARGV[2], ARGV[3]

-- Lua compares in the server's locale, a sorted set by bytes.
local function is_before(one, other)
  for i = 1, math.min(#one, #other) do
    local a, b = string.byte(one, i), string.byte(other, i)
    if a ~= b then return a < b end
  end
  return #one < #other
end

-- How many of a list stand above the page.
local function above(list)
  if not edge then return 0 end
  local low = redis.call('ZCOUNT', list, '(' .. edge, '+inf')
  local high = low + redis.call('ZCOUNT', list, edge, edge)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if is_before(redis.call('ZREVRANGE', list, middle, middle)[1], id) then high = middle else low = middle + 1 end
  end
  return low
end

local reply = {}
for i, list in ipairs(KEYS) do
  local first = above(list)
  reply[i] = redis.call('ZREVRANGE', list, first, first + rows - 1, 'WITHSCORES')
end
return reply
