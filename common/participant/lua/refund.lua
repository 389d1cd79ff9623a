#!lua flags=allow-oom
-- refund: what a paid and now cancelled attempt took of the counters of this shard is given back, once.
-- KEYS  1 the refund's own record; 2.. the counters
-- ARGV  1 the not-after that the order's shard gave, ms; 2.. how much to give back to each
-- returns {code}
--   5 REFUNDED: now or before   4 EXPIRED: past the not-after and no record; nothing is written
-- May be repeated until the not-after. The record has no TTL until it is confirmed. Allowed when memory is full.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return { 5 }
end
local time = redis.call('TIME')
if time[1] * 1000 + math.floor(time[2] / 1000) > tonumber(ARGV[1]) then
  return { 4 }
end
for i = 2, #KEYS do
  redis.call('INCRBY', KEYS[i], ARGV[i])
end
redis.call('SET', KEYS[1], '5')
return { 5 }
