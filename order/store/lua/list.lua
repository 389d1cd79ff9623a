#!lua flags=no-writes
-- list: lists IDs of orders on this shard, newest first.
-- KEYS  1 orders, or the orders of one user
-- ARGV  1 ID after which the page starts, or ""  2 maximum number of IDs
-- returns the IDs
local max = ARGV[1] == '' and '+' or '(' .. ARGV[1]
return redis.call('ZRANGE', KEYS[1], max, '-', 'BYLEX', 'REV', 'LIMIT', 0, ARGV[2])
