#!lua
-- pay: credit is spent, by hand, for no order.
-- KEYS  1 the user's credit
-- ARGV  1 how much, at least 1
-- returns {code}
--   1 DONE   0 NOT_FOUND   2 TOO_LITTLE
-- Must not be repeated: each call spends. But for DONE nothing is changed.
local have = redis.call('GET', KEYS[1])
if not have then
  return { 0 }
end
if tonumber(have) < tonumber(ARGV[1]) then
  return { 2 }
end
redis.call('DECRBY', KEYS[1], ARGV[1])
return { 1 }
