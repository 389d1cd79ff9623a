#!lua flags=no-writes
-- undecided: every order of this shard that is undecided, due or not.
-- KEYS  1 undecided
-- returns the ids
return redis.call('ZRANGE', KEYS[1], 0, -1)
