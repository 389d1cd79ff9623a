#!lua
-- batch_init: items are overwritten, or made.
-- KEYS  1.. the hash of each item
-- ARGV  1 the stock of each; 2 its price
-- returns {code}
--   1 DONE
-- May be repeated.
for i = 1, #KEYS do
  redis.call('DEL', KEYS[i])
  redis.call('HSET', KEYS[i], 'n', ARGV[1], 'p', ARGV[2])
end
return { 1 }
