#!lua flags=allow-oom
-- cancelled: records that stock and payment have refunded this attempt.
-- KEYS  1 order  2 undecided  3 unconfirmed
-- ARGV  1 attempt  2 order ID  3 stock's shards  4 payment's shards (each "0,2"; both empty: nothing was bought)
-- returns {code}
--   9 CANCELLED: now or before; else the state found:   0 NOT_FOUND   5 ABORTING   6 OPEN   7 PAID
--   8 REFUNDING of another attempt   10 RUNNING
-- May be repeated. The refund records outlive every refund window that cancel or claim has set. Allowed when memory
-- is full.
local f = redis.call('HMGET', KEYS[1], 's', 'a')
if f[1] == 'REFUNDING' and f[2] == ARGV[1] then
  local now = now_ms()
  redis.call('HSET', KEYS[1], 's', 'CANCELLED')
  redis.call('ZREM', KEYS[2], ARGV[2])
  if ARGV[4] ~= '' then
    local ends = ms(now + REFUND_WINDOW_MS + RETENTION_MS)
    redis.call('ZADD', KEYS[3], ms(now), f[2] .. ':refund ' .. ends .. ' ' .. ARGV[3] .. ' ' .. ARGV[4])
  end
  return { CANCELLED }
end
return { code_of(f[1]) }
