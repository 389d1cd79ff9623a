#!lua flags=allow-oom
-- abort: decides that this attempt will not be paid; afterwards what it reserved may be released.
-- KEYS  1 order  2 undecided
-- ARGV  1 attempt  2 order ID  3 reason  4 lease, ms: recovery ignores the order for that long
-- returns {code, attempt, reason}
--   5 ABORTING: now or before; else the state found and its attempt:
--   0 NOT_FOUND   6 OPEN   7 PAID   8 REFUNDING   9 CANCELLED   10 RUNNING
-- May be repeated. Allowed when memory is full.
local f = redis.call('HMGET', KEYS[1], 's', 'a', 'r')
if f[1] == 'RUNNING' and f[2] == ARGV[1] then
  redis.call('HSET', KEYS[1], 's', 'ABORTING', 'r', ARGV[3])
  redis.call('ZADD', KEYS[2], ms(now_ms() + ARGV[4]), ARGV[2])
  return { ABORTING, f[2], ARGV[3] }
end
return { code_of(f[1]), f[2] or '', f[3] or '' }
