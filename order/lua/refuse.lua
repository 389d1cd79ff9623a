#!lua flags=allow-oom
-- refuse: payment, which is asked first, has recorded that it refuses this attempt: nothing was taken anywhere.
-- KEYS  1 order  2 undecided
-- ARGV  1 attempt  2 the order's id  3 reason
-- returns {code, attempt, reason}
--   6 CLOSED: the order is open again; else the state found, with the attempt it is of:
--   0 NOT_FOUND   5 ABORTING   6 OPEN   7 PAID   8 REFUNDING   9 CANCELLED   10 RUNNING
-- May be repeated: that finds the attempt closed. Allowed when memory is full.
local f = redis.call('HMGET', KEYS[1], 's', 'a', 'r')
if f[1] == 'RUNNING' and f[2] == ARGV[1] then
  redis.call('HSET', KEYS[1], 's', 'OPEN', 'r', ARGV[3])
  redis.call('ZREM', KEYS[2], ARGV[2])
  return { 6, f[2], ARGV[3] }
end
local codes = { OPEN = 6, ABORTING = 5, PAID = 7, REFUNDING = 8, CANCELLED = 9, RUNNING = 10 }
return { codes[f[1]] or 0, f[2] or '', f[3] or '' }
