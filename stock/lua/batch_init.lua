#!lua
-- batch_init: items are overwritten, or made.
-- KEYS  1.. of each item: its pieces, its price
-- ARGV  1 the stock of each; 2 its price
-- returns {code}
--   1 DONE
-- May be repeated.
local items = {}
for i = 1, #KEYS do
  items[2 * i - 1], items[2 * i] = KEYS[i], ARGV[2 - i % 2]
end
redis.call('MSET', unpack(items))
return { 1 }
