#!lua
-- pay_order: credit is spent for an order, by hand, not by a checkout.
-- KEYS  1 the user's hash
-- ARGV  1 the payment's field in it; 2 how much, at least 1
-- returns {code}
--   1 DONE: now or before   0 NOT_FOUND: no such user   2 TOO_LITTLE
--   5 DIFFERS: another amount was paid for it   6 CANCELLED: a payment for it was given back
-- May be repeated. The payment is looked up before the credit: the first call may have spent it all.
local found = redis.call('HMGET', KEYS[1], 'n', ARGV[1])
local have, paid = found[1], found[2]
if not have then
  return { 0 }
end
if paid == ARGV[2] then
  return { 1 }
elseif paid then
  return { string.sub(paid, 1, 1) == '-' and 6 or 5 }
end
if tonumber(have) < tonumber(ARGV[2]) then
  return { 2 }
end
redis.call('HINCRBY', KEYS[1], 'n', '-' .. ARGV[2])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return { 1 }
