#!lua flags=no-writes
-- history: reads fields of an order, and the clock of Redis.
-- KEYS  1 order
-- ARGV  1.. fields
-- returns {Redis TIME in ms, {value of each field or nil, ...}}
return { ms(now_ms()), redis.call('HMGET', KEYS[1], unpack(ARGV)) }
