#!lua flags=allow-oom
-- confirmed: removes entries from the set "unconfirmed" after their records were confirmed.
-- KEYS  1 unconfirmed
-- ARGV  1.. entries
-- returns {number of entries that were removed}
-- Safe to retry. Allowed when memory is full.
return { redis.call('ZREM', KEYS[1], unpack(ARGV)) }
