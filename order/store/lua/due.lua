#!lua flags=no-writes
-- due: lists the undecided orders whose lease or claim has expired, or the unconfirmed attempts that are due.
-- KEYS  1 undecided or unconfirmed
-- ARGV  1 maximum number of entries
-- returns the entries by due time
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ms(now_ms()), 'LIMIT', 0, ARGV[1])
