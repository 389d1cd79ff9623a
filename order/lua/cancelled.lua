#!lua flags=allow-oom
-- cancelled: stock and payment have refunded this attempt; the order is cancelled.
-- KEYS  1 order  2 undecided  3 unconfirmed
-- ARGV  1 attempt  2 the order's id  3 stock's shards  4 payment's shards (each "0,2"; both empty: nothing was bought)
-- returns {code}
--   9 CANCELLED: now or before; else the state found:   0 NOT_FOUND   5 ABORTING   6 OPEN   7 PAID   8 REFUNDING of another
--   attempt   10 RUNNING
-- May be repeated. The refunds' records end 60 s after the last not-after that can have been given. Allowed when memory is full.
local f = redis.call('HMGET', KEYS[1], 's', 'a')
if f[1] == 'REFUNDING' and f[2] == ARGV[1] then
  local time = redis.call('TIME')
  redis.call('HSET', KEYS[1], 's', 'CANCELLED')
  redis.call('ZREM', KEYS[2], ARGV[2])
  if ARGV[4] ~= '' then
    local ends = time[1] * 1000 + 1000 + 60000 + 60000
    redis.call('ZADD', KEYS[3], time[1] * 1000, string.format('%s:refund %.0f %s %s', f[2], ends, ARGV[3], ARGV[4]))
  end
  return { 9 }
end
local codes = { OPEN = 6, ABORTING = 5, PAID = 7, REFUNDING = 8, CANCELLED = 9, RUNNING = 10 }
return { codes[f[1]] or 0 }
