#!lua flags=allow-oom
-- announce: raises the number of announced or active shards. It never lowers a number.
-- KEYS  1 activation
-- ARGV  1 the field: "announced", or "open" for active shards  2 number of shards
-- returns {the number that is stored now}
-- Safe to retry. Allowed when memory is full, because a new shard is needed then.
local number = math.max(tonumber(ARGV[2]), tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or 0))
redis.call('HSET', KEYS[1], ARGV[1], number)
return { number }
