#!lua flags=allow-oom
-- refund: returns to the counters what a paid and now cancelled attempt took from them, once.
-- KEYS  1 record of the refund; 2.. counters
-- ARGV  1 time after which the refund is too late, set by the order's shard, Unix ms; 2.. amount for each counter
-- returns {code}
--   5 REFUNDED: now or before   4 EXPIRED: too late, and there is no record; nothing is written
-- May be repeated. The record has no TTL until it is confirmed. Allowed when memory is full: a refund must not be refused.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return { REFUNDED }
end
if now_ms() > tonumber(ARGV[1]) then
  return { EXPIRED }
end
for i = 2, #KEYS do
  redis.call('INCRBY', KEYS[i], ARGV[i])
end
redis.call('SET', KEYS[1], REFUNDED)
return { REFUNDED }
