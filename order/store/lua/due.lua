#!lua flags=no-writes
-- due: lists the due entries of the set "undecided" (IDs of orders) or of the set "unconfirmed" (attempts and refunds).
-- KEYS  1 undecided or unconfirmed
-- ARGV  1 maximum number of entries
-- returns the entries by due time
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ms(now_ms()), 'LIMIT', 0, ARGV[1])
