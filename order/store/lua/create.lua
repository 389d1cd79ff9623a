#!lua
-- create: creates an empty order.
-- KEYS  1 order
-- ARGV  1 user
-- returns {code}
--   1 DONE   0 TAKEN: the order exists; the caller mints another ID
-- Must not be retried: the second call would return TAKEN.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return { TAKEN }
end
redis.call('HSET', KEYS[1], 's', 'OPEN', 'u', ARGV[1], 't', 0, 'q', 0, 'k', 0)
return { DONE }
