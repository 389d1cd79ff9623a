#!lua
-- pay: credit is spent, by hand, for no order.
-- KEYS  1 the user's hash
-- ARGV  1 how much, at least 1
-- returns {code}
--   1 DONE   0 NOT_FOUND   2 TOO_LITTLE
-- Must not be repeated: each call spends. But for DONE nothing is changed.
local have = redis.call('HGET', KEYS[1], 'n')
if not have then
  return { 0 }
end
if tonumber(have) < tonumber(ARGV[1]) then
  return { 2 }
end
redis.call('HINCRBY', KEYS[1], 'n', '-' .. ARGV[1])
return { 1 }
