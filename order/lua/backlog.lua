#!lua flags=no-writes
-- backlog: what waits on this shard.
-- KEYS  1 undecided  2 unconfirmed
-- ARGV  1 how many ids at most
-- returns {now, ms; how many are undecided; how many are unconfirmed; ids of undecided orders, the longest due first}
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local ids = redis.call('ZRANGE', KEYS[1], 0, ARGV[1] - 1)
return { now, redis.call('ZCARD', KEYS[1]), redis.call('ZCARD', KEYS[2]), ids }
