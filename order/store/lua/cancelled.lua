#!lua flags=allow-oom
-- cancelled: records that stock and payment have refunded this attempt.
-- KEYS  1 order  2 undecided  3 unconfirmed
-- ARGV  1 attempt  2 order ID  3 indexes of stock's shards, such as "0,2", or "" for an empty order
--       4 indexes of payment's shards
-- returns {code}: the state of the order after this call
--   0 NOT_FOUND   5 ABORTING   6 OPEN   7 PAID   8 REFUNDING, but with another attempt   9 CANCELLED   10 RUNNING
-- Safe to retry. The refund records are kept until the not-after time of every refund message has passed. Allowed when memory is
-- full.
local f = redis.call('HMGET', KEYS[1], 's', 'a', 'h', 'dl')
if f[1] == 'REFUNDING' and f[2] == ARGV[1] then
  local now = now_ms()
  redis.call('HSET', KEYS[1], 's', 'CANCELLED', 'h', with_event(f[3], 'X', now, f[4]))
  redis.call('ZREM', KEYS[2], ARGV[2])
  if ARGV[4] ~= '' then
    local expiry = ms(now + REFUND_WINDOW_MS + RETENTION_MS)
    redis.call('ZADD', KEYS[3], ms(now), f[2] .. ':refund ' .. expiry .. ' ' .. ARGV[3] .. ' ' .. ARGV[4])
  end
  return { CANCELLED }
end
return { code_of(f[1]) }
