#!lua
-- subtract: subtracts an amount from a counter, outside of a checkout.
-- KEYS  1 counter
-- ARGV  1 amount, at least 1
-- returns {code[, counter]}
--   0 NOT_FOUND   1 DONE   2 INSUFFICIENT: counter is the value of the counter
-- Must not be retried: each call subtracts. Only a call that returns DONE changes the counter.
local have = redis.call('GET', KEYS[1])
if not have then
  return { NOT_FOUND }
end
if tonumber(have) < tonumber(ARGV[1]) then
  return { INSUFFICIENT, have }
end
redis.call('DECRBY', KEYS[1], ARGV[1])
return { DONE }
