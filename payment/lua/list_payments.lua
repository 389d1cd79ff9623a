#!lua flags=no-writes
-- list_payments: lists the order IDs of a user's direct payments.
-- KEYS  1 direct payments  2 index
-- ARGV  1 order ID after which the page starts, or ""  2 largest number of payments on the page
-- returns {order IDs, values}. With an index, the script returns one page, by descending order ID. Without an index, it ignores
-- ARGV and returns all payments, in any order. They are few, because pay_order creates the index of a user with more than
-- UNINDEXED payments. A value is nil if the payment was stopped.
if redis.call('EXISTS', KEYS[2]) == 0 then
  return { redis.call('HKEYS', KEYS[1]), redis.call('HVALS', KEYS[1]) }
end
local max = ARGV[1] == '' and '+' or '(' .. ARGV[1]
local orders = redis.call('ZRANGE', KEYS[2], max, '-', 'BYLEX', 'REV', 'LIMIT', 0, ARGV[2])
return { orders, #orders > 0 and redis.call('HMGET', KEYS[1], unpack(orders)) or {} }
