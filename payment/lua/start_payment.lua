#!lua
-- start_payment: starts a direct payment for an order. During the payment, the script "reserve" returns UNKNOWN for the order.
-- KEYS  1 credit  2 direct payments
-- ARGV  1 order ID  2 token, unique to the caller  3 duration in ms
-- returns {code[, token]}
--   8 STARTED_PAYMENT: call pay_order with the returned token before the duration has passed. If a payment for the order was
--     in progress, the script returns the token of that payment.
--   9 SETTLED: there is no such user, or the user's payment for the order was already made or refunded. Nothing is changed.
--     A call of pay_order returns the reason.
-- Safe to retry: a later call extends the duration.
-- The value of a payment in progress is "?token:expiry".
local exists, paid = redis.call('EXISTS', KEYS[1]) == 1, redis.call('HGET', KEYS[2], ARGV[1])
local token, expiry = string.match(paid or '', '^%?([^:]+):(%d+)$')
if not exists or paid and not token then
  return { SETTLED }
end
local now = now_ms()
if not token or now > tonumber(expiry) then
  token = ARGV[2]
end
redis.call('HSET', KEYS[2], ARGV[1], '?' .. token .. ':' .. ms(now + ARGV[3]))
return { STARTED_PAYMENT, token }
