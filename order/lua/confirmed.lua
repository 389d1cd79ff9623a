#!lua flags=allow-oom
-- confirmed: these attempts' records will end; nobody need look any more.
-- KEYS  1 unconfirmed
-- ARGV  1.. entries
-- returns {how many were there}
-- May be repeated. Allowed when memory is full.
return { redis.call('ZREM', KEYS[1], unpack(ARGV)) }
