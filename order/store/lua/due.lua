#!lua flags=no-writes
-- due: lists the undecided orders whose lease or claim has expired.
-- KEYS  1 undecided
-- ARGV  1 maximum number of IDs
-- returns the IDs by due time
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ms(now_ms()), 'LIMIT', 0, ARGV[1])
