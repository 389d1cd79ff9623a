#!lua
-- subtract: pieces are taken off the shelf, by hand, not by a checkout.
-- KEYS  1 the item's pieces
-- ARGV  1 how many, at least 1
-- returns {code}
--   1 DONE   0 NOT_FOUND   2 TOO_LITTLE
-- Must not be repeated: each call subtracts. But for DONE nothing is changed.
local have = redis.call('GET', KEYS[1])
if not have then
  return { 0 }
end
if tonumber(have) < tonumber(ARGV[1]) then
  return { 2 }
end
redis.call('DECRBY', KEYS[1], ARGV[1])
return { 1 }
