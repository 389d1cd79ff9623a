#!lua
-- add: adds an amount to a counter.
-- KEYS  1 counter
-- ARGV  1 amount  2 largest sum
-- returns {code}
--   0 NOT_FOUND   1 DONE   3 LIMIT: the sum would be too large
-- Must not be retried: each call adds. Only a call that returns DONE changes the counter.
local have = redis.call('GET', KEYS[1])
if not have then
  return { NOT_FOUND }
end
if tonumber(have) > ARGV[2] - ARGV[1] then
  return { LIMIT }
end
redis.call('INCRBY', KEYS[1], ARGV[1])
return { DONE }
