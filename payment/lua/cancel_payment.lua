#!lua flags=allow-oom
-- cancel_payment: refunds a direct payment for an order, once.
-- KEYS  1 credit  2 direct payments
-- ARGV  1 order ID  2 largest allowed credit
-- returns {code}
--   0 NOT_FOUND: there is no such user   1 DONE: this call or an earlier one has refunded the payment
--   7 NOTHING_PAID: there is no direct payment for the order, or the payment is in progress
--   3 LIMIT: the credit would be too large; nothing is changed
-- Safe to retry. Allowed when memory is full, because a refund must not fail.
local have = redis.call('GET', KEYS[1])
if not have then
  return { NOT_FOUND }
end
local paid = redis.call('HGET', KEYS[2], ARGV[1])
if not paid or string.sub(paid, 1, 1) == '?' then
  return { NOTHING_PAID }
elseif string.sub(paid, 1, 1) == '-' then
  return { DONE }
end
if tonumber(have) > ARGV[2] - paid then
  return { LIMIT }
end
redis.call('INCRBY', KEYS[1], paid)
redis.call('HSET', KEYS[2], ARGV[1], '-' .. paid)
return { DONE }
