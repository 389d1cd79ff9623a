#!lua flags=allow-oom
-- grow: raises a number of shards, and never lowers it. A full shard must not stand in the way of the next one.
-- KEYS  growth
-- ARGV  the field, "announced" or "open", and the number
-- returns {number}: what stands there now
-- May be repeated.
local number = math.max(tonumber(ARGV[2]), tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or 0))
redis.call('HSET', KEYS[1], ARGV[1], number)
return { number }
