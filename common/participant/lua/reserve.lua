#!lua
-- reserve: subtracts all amounts of an attempt from the counters of this shard, or none of them.
-- KEYS  1 record of the attempt  2.. counters, all different  then, if GUARDED is 1: direct payments of the user
--       last: marker of a batch_init in progress
-- ARGV  1 deadline of the attempt, Unix ms  2.. amount to subtract from each counter  then, if GUARDED is 1: order ID
--       last, optional: 1 if the caller waits when a counter is too low
-- returns {code[, reason, line, available]}
--   0 UNKNOWN: nothing is changed, and the caller retries, because:
--     - batch_init is overwriting the counters with decimal IDs, or
--     - a direct payment for the order is in progress, or
--     - an earlier call has reserved from other counters: between the calls, batch_init moved a decimal ID to another shard
--   1 RESERVED   2 REFUSED: reason is 1 TOO_LITTLE, 2 NO_COUNTER or 5 PAID_DIRECTLY; line is the index of the counter, from 0;
--     available is the value of that counter if the value is too low
--   6 SHORT: a counter is too low, and the caller waits; nothing is changed
--   3 RELEASED: an earlier call of release has recorded this result
--   4 EXPIRED: the deadline has passed, and no result is recorded; nothing is changed
-- Safe to retry: if there is a record, the recorded result is returned. The record is checked before the counters, because the
-- first call may have emptied a counter.
-- A record is a string that starts with its code: "1 counter amount counter amount", "2 reason line[ available]" or "3". The
-- record of a refund is "5". A record "3" or "5" also lists the counters that no longer existed. A RESERVED record has no TTL
-- until it is confirmed. Other records of reserve and release expire RETENTION_MS after the deadline.
-- The field of a direct payment is "amount", "-amount" after a refund, or "?token:expiry" while the payment is in
-- progress. If a payment in progress has expired, reserve deletes the field of the payment.
-- Lua numbers are exact only up to 2^53, so DECRBY subtracts from counters of 16 or more digits. Lua still compares them
-- correctly with amounts, because no amount exceeds 2^53-1.
local have, n = redis.call('MGET', unpack(KEYS)), #KEYS - 1 - GUARDED
local record, overwriting, waits = have[1], have[#KEYS], ARGV[n + 1 + GUARDED]
if record then
  local reason, line, available = string.match(record, '^%d ?(%d*) ?(%d*) ?(%d*)')
  return { recorded(record, n), tonumber(reason) or 0, tonumber(line) or 0, available ~= '' and available or nil }
end
if now_ms() > tonumber(ARGV[1]) then
  return { EXPIRED }
end
local function refuse(reason, line, available)
  redis.call('SET', KEYS[1], table.concat({ REFUSED, reason, line, available }, ' '), 'PXAT', ms(ARGV[1] + RETENTION_MS))
  return { REFUSED, reason, line, available }
end
local paid = GUARDED == 1 and have[2] and redis.call('HGET', KEYS[n + 1], ARGV[n + 1]) or ''
if now_ms() <= (tonumber(string.match(paid, '^%?[^:]+:(%d+)$')) or 0) then
  return { UNKNOWN }
elseif string.find(paid, '^%d') then
  return refuse(PAID_DIRECTLY, 0)
elseif string.find(paid, '^%?') then
  redis.call('HDEL', KEYS[n + 1], ARGV[n + 1]) -- this payment can no longer be made, even if the clock goes back
end
local left, reserved, large = {}, { RESERVED }, {}
for i = 2, n do
  local has, want = have[i], ARGV[i]
  if overwriting and string.find(KEYS[i], ':%d+$') then
    return { UNKNOWN }
  elseif not has then
    return refuse(NO_COUNTER, i - 2)
  elseif has - want < 0 then
    return waits and { SHORT } or refuse(TOO_LITTLE, i - 2, has)
  elseif #has < 16 then
    left[#left + 1], left[#left + 2] = KEYS[i], string.format('%d', has - want)
  else
    large[#large + 1] = i
  end
  reserved[2 * i - 2], reserved[2 * i - 1] = KEYS[i], want
end
for _, i in ipairs(large) do redis.call('DECRBY', KEYS[i], ARGV[i]) end
redis.call('MSET', KEYS[1], table.concat(reserved, ' '), unpack(left)) -- one MSET costs half as much as a SET for each counter
return { RESERVED }
