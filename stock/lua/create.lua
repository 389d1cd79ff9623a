#!lua
-- create: a new item, of which there is none in stock.
-- KEYS  1 the item's hash
-- ARGV  1 its price
-- returns {code}
--   1 DONE   4 TAKEN: there is such an item; it is left as it is
-- Must not be repeated: the second call finds what the first has made.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return { 4 }
end
redis.call('HSET', KEYS[1], 'n', 0, 'p', ARGV[1])
return { 1 }
