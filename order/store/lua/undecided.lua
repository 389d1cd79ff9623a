#!lua flags=no-writes
-- undecided: lists every undecided order of this shard.
-- KEYS  1 undecided
-- returns the IDs
return redis.call('ZRANGE', KEYS[1], 0, -1)
