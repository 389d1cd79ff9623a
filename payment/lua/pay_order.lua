#!lua
-- pay_order: pays for an order from a user's credit, outside of a checkout.
-- KEYS  1 credit  2 direct payments: the amount by order ID; negative after a refund
-- ARGV  1 order ID  2 amount, at least 1
-- returns {code}
--   0 NOT_FOUND: no such user   1 DONE: by this call or an earlier one   2 INSUFFICIENT
--   5 PAID_DIFFERENTLY: another amount was paid for the order   6 RETURNED: the payment for the order was refunded
-- Safe to retry. The payment is checked before the credit, because the first call may have spent all credit.
local have = redis.call('GET', KEYS[1])
if not have then
  return { NOT_FOUND }
end
local paid = redis.call('HGET', KEYS[2], ARGV[1])
if paid == ARGV[2] then
  return { DONE }
elseif paid then
  return { string.sub(paid, 1, 1) == '-' and RETURNED or PAID_DIFFERENTLY }
end
if tonumber(have) < tonumber(ARGV[2]) then
  return { INSUFFICIENT }
end
redis.call('DECRBY', KEYS[1], ARGV[2])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return { DONE }
