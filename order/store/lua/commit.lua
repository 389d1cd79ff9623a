#!lua flags=allow-oom
-- commit: the decision. Both participants have voted RESERVED for this attempt.
-- KEYS  1 order  2 undecided  3 unconfirmed
-- ARGV  1 attempt  2 order ID  3 stock's shards  4 payment's shards (each "0,2")
-- returns {code, attempt, reason}
--   7 PAID: by this attempt, now or before, whether cancelled later or not; else the state found and its attempt:
--   0 NOT_FOUND   5 ABORTING   6 OPEN   7 PAID (by another attempt)   8 REFUNDING   9 CANCELLED   10 RUNNING
-- May be repeated. Allowed when memory is full: confirming frees more than the decision takes.
local f = redis.call('HMGET', KEYS[1], 's', 'a', 'r', 'dl')
local state, attempt = f[1], f[2]
if state == 'RUNNING' and attempt == ARGV[1] then
  redis.call('HSET', KEYS[1], 's', 'PAID')
  redis.call('ZREM', KEYS[2], ARGV[2])
  redis.call('ZADD', KEYS[3], ms(now_ms()), attempt .. ' ' .. ms(f[4] + RETENTION_MS) .. ' ' .. ARGV[3] .. ' ' .. ARGV[4])
  return { PAID, attempt, '' }
end
if attempt == ARGV[1] and (state == 'REFUNDING' or state == 'CANCELLED') then
  return { PAID, attempt, '' }
end
return { code_of(state), attempt or '', f[3] or '' }
