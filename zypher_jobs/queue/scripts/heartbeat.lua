-- A worker says that it is alive, or a process what it serves; those that have not said so for long leave the list.
-- KEYS  1 zypher:workers  2 zypher:worker:{id}, or  1 zypher:serving  2 zypher:serving:{process id}
-- ARGV  1 id  2 its WorkerStats or ProcessState  3 lifetime ms
-- Returns nothing.
even_when_full()
local now = clock()
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[3])
redis.call('ZREMRANGEBYSCORE', ABORT, '-inf', now - ABORT_KEPT_MS)
