#!lua flags=allow-oom
-- abort: this attempt will never be paid; what it took may now be released.
-- KEYS  1 order  2 undecided
-- ARGV  1 attempt  2 the order's id  3 reason  4 lease, ms from now: before it ends no worker need look
-- returns {code, attempt, reason}
--   5 ABORTING: now or before; else the state that won, with the attempt it is of:
--   0 NOT_FOUND   6 OPEN   7 PAID   8 REFUNDING   9 CANCELLED   10 RUNNING
-- May be repeated. Allowed when memory is full.
local f = redis.call('HMGET', KEYS[1], 's', 'a', 'r')
if f[1] == 'RUNNING' and f[2] == ARGV[1] then
  local time = redis.call('TIME')
  redis.call('HSET', KEYS[1], 's', 'ABORTING', 'r', ARGV[3])
  redis.call('ZADD', KEYS[2], string.format('%.0f', time[1] * 1000 + ARGV[4]), ARGV[2])
  return { 5, f[2], ARGV[3] }
end
local codes = { OPEN = 6, ABORTING = 5, PAID = 7, REFUNDING = 8, CANCELLED = 9, RUNNING = 10 }
return { codes[f[1]] or 0, f[2] or '', f[3] or '' }
