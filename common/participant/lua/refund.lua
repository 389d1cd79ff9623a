#!lua flags=allow-oom
-- refund: adds the amounts of a cancelled attempt to the counters, once.
-- KEYS  1 record of the refund  2.. counters
-- ARGV  1 not-after time, Unix ms  2.. amount for each counter
-- returns {code[, counter, counter, ...]}
--   5 REFUNDED: this call or an earlier one added the amounts, except to the counters in the reply, which no longer exist. The
--     record lists the same counters.
--   4 EXPIRED: the not-after time has passed, and no refund is recorded; nothing is changed
--   9 OVERFLOW: the sum could exceed a 64-bit integer; nothing is changed
-- Safe to retry. The record has no TTL until it is confirmed. Allowed when memory is full, because a refund must not fail.
local have = redis.call('MGET', unpack(KEYS))
if have[1] then
  return { REFUNDED, unpack(words(have[1])) }
end
if now_ms() > tonumber(ARGV[1]) then
  return { EXPIRED }
end
local refunded = { REFUNDED }
for i = 2, #KEYS do
  if not have[i] then
    refunded[#refunded + 1] = KEYS[i]
  elseif tonumber(have[i]) >= FULL_AT then
    return { OVERFLOW }
  end
end
for i = 2, #KEYS do
  if have[i] then
    redis.call('INCRBY', KEYS[i], ARGV[i])
  end
end
redis.call('SET', KEYS[1], table.concat(refunded, ' '))
return refunded
