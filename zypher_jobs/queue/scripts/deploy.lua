-- Writes how a model ought to be deployed, unless somebody else has written it since it was read.
-- KEYS  1 zypher:deployments
-- ARGV  1 model  2 what was read, '' for nothing  3 what is to be, '' for nothing
-- Returns 1, or 0 if it is not what was read any more: nothing changes then.
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 0 end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('DEL', SHADOW .. ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
redis.call('PUBLISH', DEPLOYED, ARGV[1])
return 1
