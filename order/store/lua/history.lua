#!lua flags=no-writes
-- history: reads what is stored about the attempts of an order.
-- KEYS  1 order
-- ARGV  1.. fields
-- returns {Redis TIME in ms, value of each field or nil...}
return { ms(now_ms()), redis.call('HMGET', KEYS[1], unpack(ARGV)) }
