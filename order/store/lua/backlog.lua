#!lua flags=no-writes
-- backlog: counts the undecided orders and unconfirmed attempts of this shard, and lists undecided orders.
-- KEYS  1 undecided  2 unconfirmed
-- ARGV  1 maximum number of IDs
-- returns {Redis TIME in ms, number of undecided orders, number of unconfirmed attempts, IDs of undecided orders by due time}
local ids = redis.call('ZRANGE', KEYS[1], 0, ARGV[1] - 1)
return { ms(now_ms()), redis.call('ZCARD', KEYS[1]), redis.call('ZCARD', KEYS[2]), ids }
