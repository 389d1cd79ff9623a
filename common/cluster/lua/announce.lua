#!lua flags=allow-oom
-- announce: raises a number of shards, and never lowers it.
-- KEYS  1 activation
-- ARGV  1 the field, "announced" or "open"  2 the number
-- returns {the number that is stored now}
-- May be repeated. Allowed when memory is full: then a new shard is needed most.
local number = math.max(tonumber(ARGV[2]), tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or 0))
redis.call('HSET', KEYS[1], ARGV[1], number)
return { number }
