#!lua
-- create: a new item, of which there is none in stock.
-- KEYS  1 the item's pieces; 2 its price
-- ARGV  1 the price
-- returns {code}
--   1 DONE   4 TAKEN: there is such an item; it is left as it is
-- Must not be repeated: the second call finds what the first has made.
if redis.call('MSETNX', KEYS[1], 0, KEYS[2], ARGV[1]) == 0 then
  return { 4 }
end
return { 1 }
