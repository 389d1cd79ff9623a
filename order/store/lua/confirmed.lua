#!lua flags=allow-oom
-- confirmed: removes attempts whose records are confirmed.
-- KEYS  1 unconfirmed
-- ARGV  1.. entries
-- returns {number of entries that were removed}
-- May be repeated. Allowed when memory is full.
return { redis.call('ZREM', KEYS[1], unpack(ARGV)) }
