#!lua flags=no-writes
-- undecided: lists undecided orders of this shard.
-- KEYS  1 undecided
-- ARGV  1 maximum number of IDs, or 0 for all
-- returns the IDs
return redis.call('ZRANGE', KEYS[1], 0, ARGV[1] - 1)
