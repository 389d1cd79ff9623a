#!lua
-- pay_order: pays for an order from a user's credit, outside of a checkout.
-- KEYS  1 credit  2 direct payments: by order ID, the amount, "-amount" after a refund, or "?token:expiry" while in progress
--       3 index: the order IDs of the direct payments; created when the user has more than UNINDEXED payments
-- ARGV  1 order ID  2 amount, at least 1  3 token of start_payment, or "" to read the result of an earlier payment
-- returns {code[, credit]}
--   0 NOT_FOUND: there is no such user   1 DONE: this call or an earlier one has made the payment
--   2 INSUFFICIENT: the credit is too low; the reply contains the credit
--   5 PAID_DIFFERENTLY: another amount was paid for the order   6 RETURNED: the payment for the order was refunded
--   -1 LOST: no payment with this token is in progress, so a checkout may have reserved credit; call start_payment again
-- Safe to retry. pay_order checks the payment before the credit, because the first call may have spent all credit.
local have = redis.call('GET', KEYS[1])
if not have then
  return { NOT_FOUND }
end
local paid = redis.call('HGET', KEYS[2], ARGV[1])
local token, expiry = string.match(paid or '', '^%?([^:]+):(%d+)$')
if paid == ARGV[2] then
  return { DONE }
elseif paid and not token then
  return { string.sub(paid, 1, 1) == '-' and RETURNED or PAID_DIFFERENTLY }
elseif token ~= ARGV[3] or now_ms() > tonumber(expiry) then
  return { LOST }
elseif tonumber(have) < tonumber(ARGV[2]) then
  return { INSUFFICIENT, have }
end
redis.call('DECRBY', KEYS[1], ARGV[2])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
local indexed = redis.call('EXISTS', KEYS[3]) == 1
if indexed or redis.call('HLEN', KEYS[2]) > UNINDEXED then
  for _, order in ipairs(indexed and { ARGV[1] } or redis.call('HKEYS', KEYS[2])) do
    redis.call('ZADD', KEYS[3], 0, order)
  end
end
return { DONE }
