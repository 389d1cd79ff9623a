#!lua flags=allow-oom
-- abort: decides that this attempt will never be paid. After that, its reservations may be released.
-- KEYS  1 order  2 undecided
-- ARGV  1 attempt  2 order ID  3 reason  4 lease in ms: recovery ignores the order for that long
-- returns {code, attempt, reason}: the state of the order and its attempt, after the change if this attempt was RUNNING
--   0 NOT_FOUND   5 ABORTING   6 OPEN   7 PAID   8 REFUNDING   9 CANCELLED   10 RUNNING
-- Safe to retry. Allowed when memory is full.
local f = redis.call('HMGET', KEYS[1], 's', 'a', 'r')
if f[1] == 'RUNNING' and f[2] == ARGV[1] then
  redis.call('HSET', KEYS[1], 's', 'ABORTING', 'r', ARGV[3])
  redis.call('ZADD', KEYS[2], ms(now_ms() + ARGV[4]), ARGV[2])
  return { ABORTING, f[2], ARGV[3] }
end
return { code_of(f[1]), f[2] or '', f[3] or '' }
