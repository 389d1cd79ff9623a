#!lua
-- batch_init: overwrites either all given orders or none of them. Each new order is open and has two pieces.
-- KEYS  orders; last: the marker of this batch_init
-- ARGV  1 ID of this batch_init  2 price of every item  3.. for each order: user, item, item
-- returns {code}
--   1 DONE   0 UNDECIDED: an order is RUNNING, ABORTING or REFUNDING; nothing is changed
--   2 INTERRUPTED: the marker has expired, so a later batch_init may have written the orders; nothing is changed
-- Safe to retry.
local refusal = overwrite_refusal(ARGV[1])
if refusal then
  return { refusal }
end
local total = string.format('%.0f', 2 * ARGV[2])
for i = 1, #KEYS - 1 do
  local user, first, second = ARGV[3 * i], ARGV[3 * i + 1], ARGV[3 * i + 2]
  redis.call('DEL', KEYS[i])
  if first == second then
    redis.call('HSET', KEYS[i], 's', 'OPEN', 'u', user, 't', total, 'q', 2, 'k', 1, 'i:' .. first, '2@' .. ARGV[2])
  else
    redis.call('HSET', KEYS[i], 's', 'OPEN', 'u', user, 't', total, 'q', 2, 'k', 2,
      'i:' .. first, '1@' .. ARGV[2], 'i:' .. second, '1@' .. ARGV[2])
  end
end
return { DONE }
