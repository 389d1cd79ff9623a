#!lua flags=no-writes
-- due: the orders that somebody must look at now.
-- KEYS  1 undecided
-- ARGV  1 how many at most
-- returns the ids, the longest due first
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])
