#!lua
-- create: creates an empty order.
-- KEYS  1 order  2 orders  3 orders of the user
-- ARGV  1 user  2 order ID, or "" to keep the order out of the lists
-- returns {code}
--   1 DONE   0 TAKEN: the order exists; the caller mints another ID
-- Must not be retried: the second call would return TAKEN.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return { TAKEN }
end
redis.call('HSET', KEYS[1], 's', 'OPEN', 'u', ARGV[1], 't', 0, 'q', 0, 'k', 0)
if ARGV[2] ~= '' then
  redis.call('ZADD', KEYS[2], 0, ARGV[2])
  redis.call('ZADD', KEYS[3], 0, ARGV[2])
end
return { DONE }
