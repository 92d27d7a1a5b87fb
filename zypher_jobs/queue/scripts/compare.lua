-- Counts how a shadow's outputs compare with those of a live version, while the model is deployed.
-- KEYS  1 zypher:shadow:{model}  2 zypher:deployments
-- ARGV  1 model  2 and on: field, by how much, field, …
-- Returns nothing.
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 0 then return end
for i = 2, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
