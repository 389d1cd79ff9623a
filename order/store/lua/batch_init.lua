#!lua
-- batch_init: overwrites all given orders with open orders of two items each, or none of them.
-- KEYS  orders
-- ARGV  1 price of every item  2.. for each order: user, item, item
-- returns {code}
--   1 DONE   0 UNDECIDED: an order is RUNNING, ABORTING or REFUNDING; nothing is changed
-- Safe to retry.
for i = 1, #KEYS do
  local state = redis.call('HGET', KEYS[i], 's')
  if state == 'RUNNING' or state == 'ABORTING' or state == 'REFUNDING' then
    return { UNDECIDED }
  end
end
local total = string.format('%.0f', 2 * ARGV[1])
for i = 1, #KEYS do
  local user, first, second = ARGV[3 * i - 1], ARGV[3 * i], ARGV[3 * i + 1]
  redis.call('DEL', KEYS[i])
  if first == second then
    redis.call('HSET', KEYS[i], 's', 'OPEN', 'u', user, 't', total, 'q', 2, 'k', 1, 'i:' .. first, '2@' .. ARGV[1])
  else
    redis.call('HSET', KEYS[i], 's', 'OPEN', 'u', user, 't', total, 'q', 2, 'k', 2,
      'i:' .. first, '1@' .. ARGV[1], 'i:' .. second, '1@' .. ARGV[1])
  end
end
return { DONE }
