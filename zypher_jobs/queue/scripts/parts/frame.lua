-- Prepended to what sends prediction's jobs or results as one string: in messages, and in the claim's reply.
-- A frame is the length of a MessagePack head in four bytes, the head, and the bytes themselves: cmsgpack would call them text.
local function frame(head, bodies)
  local packed = cmsgpack.pack(head)
  return struct.pack('>I4', #packed) .. packed .. table.concat(bodies)
end

-- How many listen on a channel.
local function listeners(channel) return redis.call('PUBSUB', 'NUMSUB', channel)[2] end
