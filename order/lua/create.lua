#!lua
-- create: a new, empty order.
-- KEYS  1 order
-- ARGV  1 user
-- returns {code}
--   1 CREATED   0 there is such an order already: mint another id
-- Not to be repeated: the second call finds the first one's order.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return { 0 }
end
redis.call('HSET', KEYS[1], 's', 'OPEN', 'u', ARGV[1], 't', 0, 'q', 0, 'k', 0)
return { 1 }
