#!lua
-- reserve: subtracts all amounts of an attempt from the counters of this shard, or none of them.
-- KEYS  1 record of the attempt  2.. counters, all different
-- ARGV  1 deadline of the attempt, Unix ms  2.. amount from each counter
-- returns {code[, reason, line]}
--   1 RESERVED   2 REFUSED: reason is 1 TOO_LITTLE or 2 NO_COUNTER; line is the index of the counter, from 0
--   3 RELEASED: by an earlier call of release   4 EXPIRED: past the deadline and no result is recorded; nothing is changed
-- Safe to retry: if there is a record, the recorded result is returned. The record is checked before the counters, because the
-- first call may have emptied a counter.
-- A record is a string that starts with its code: "1 counter amount counter amount", "2 reason line" or "3". The record of a
-- refund is "5". A RESERVED record has no TTL until it is confirmed. Other records of reserve and release expire RETENTION_MS
-- after the deadline.
local have = redis.call('MGET', unpack(KEYS))
local record = have[1]
if record then
  local code, reason, line = string.match(record, '^(%d) ?(%d*) ?(%d*)')
  code = tonumber(code)
  if code ~= REFUSED then
    return { code, 0, 0 }
  end
  return { code, tonumber(reason), tonumber(line) }
end
if now_ms() > tonumber(ARGV[1]) then
  return { EXPIRED }
end
local n = #KEYS
-- One MSET writes all counters and the record. It costs half as much as one command per counter.
local left, reserved = {}, { RESERVED }
for i = 2, n do
  local has, want = have[i], ARGV[i]
  if not has or has - want < 0 then
    local reason = has and TOO_LITTLE or NO_COUNTER
    redis.call('SET', KEYS[1], REFUSED .. ' ' .. reason .. ' ' .. i - 2, 'PXAT', ms(ARGV[1] + RETENTION_MS))
    return { REFUSED, reason, i - 2 }
  end
  left[2 * i - 3], left[2 * i - 2] = KEYS[i], string.format('%d', has - want)
  reserved[2 * i - 2], reserved[2 * i - 1] = KEYS[i], want
end
left[2 * n - 1], left[2 * n] = KEYS[1], table.concat(reserved, ' ')
redis.call('MSET', unpack(left))
return { RESERVED }
