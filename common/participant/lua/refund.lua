#!lua flags=allow-oom
-- refund: adds the amounts of a cancelled attempt to the counters, once.
-- KEYS  1 record of the refund  2.. counters
-- ARGV  1 not-after time, Unix ms  2.. amount for each counter
-- returns {code}
--   5 REFUNDED: by this call or an earlier one   4 EXPIRED: past the not-after time and no refund is recorded; nothing is changed
-- Safe to retry. The record has no TTL until it is confirmed. Allowed when memory is full, because a refund must not fail.
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
