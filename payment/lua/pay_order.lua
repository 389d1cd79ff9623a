#!lua
-- pay_order: credit is spent for an order, by hand, not by a checkout.
-- KEYS  1 the user's credit; 2 the user's payments by hand: the amount, by order; negative once it was given back
-- ARGV  1 the order; 2 how much, at least 1
-- returns {code}
--   1 DONE: now or before   0 NOT_FOUND: no such user   2 TOO_LITTLE
--   5 DIFFERS: another amount was paid for it   6 CANCELLED: a payment for it was given back
-- May be repeated. The payment is looked up before the credit: the first call may have spent it all.
local have = redis.call('GET', KEYS[1])
if not have then
  return { 0 }
end
local paid = redis.call('HGET', KEYS[2], ARGV[1])
if paid == ARGV[2] then
  return { 1 }
elseif paid then
  return { string.sub(paid, 1, 1) == '-' and 6 or 5 }
end
if tonumber(have) < tonumber(ARGV[2]) then
  return { 2 }
end
redis.call('DECRBY', KEYS[1], ARGV[2])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return { 1 }
