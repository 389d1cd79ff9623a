#!lua
-- subtract: pieces are taken off the shelf, by hand, not by a checkout.
-- KEYS  1 the item's hash
-- ARGV  1 how many, at least 1
-- returns {code}
--   1 DONE   0 NOT_FOUND   2 TOO_LITTLE
-- Must not be repeated: each call subtracts. But for DONE nothing is changed.
local have = redis.call('HGET', KEYS[1], 'n')
if not have then
  return { 0 }
end
if tonumber(have) < tonumber(ARGV[1]) then
  return { 2 }
end
redis.call('HINCRBY', KEYS[1], 'n', '-' .. ARGV[1])
return { 1 }
