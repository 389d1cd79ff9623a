#!lua flags=allow-oom
-- commit: the decision. Both participants have said RESERVED for this attempt.
-- KEYS  1 order  2 undecided  3 unconfirmed
-- ARGV  1 attempt  2 the order's id  3 stock's shards  4 payment's shards (each "0,2")
-- returns {code, attempt, reason}
--   7 PAID: by this attempt, now or before, whether cancelled since or not; else the state found, with the attempt it is of:
--   0 NOT_FOUND   5 ABORTING   6 OPEN   7 PAID (by another attempt)   8 REFUNDING   9 CANCELLED   10 RUNNING
-- May be repeated. Allowed when memory is full: the decision frees more than it takes.
local f = redis.call('HMGET', KEYS[1], 's', 'a', 'r', 'dl')
local state, attempt = f[1], f[2]
if state == 'RUNNING' and attempt == ARGV[1] then
  local time = redis.call('TIME')
  redis.call('HSET', KEYS[1], 's', 'PAID')
  redis.call('ZREM', KEYS[2], ARGV[2])
  redis.call('ZADD', KEYS[3], time[1] * 1000, attempt .. ' ' .. f[4] + 60000 .. ' ' .. ARGV[3] .. ' ' .. ARGV[4])
  return { 7, attempt, '' }
end
if attempt == ARGV[1] and (state == 'REFUNDING' or state == 'CANCELLED') then
  return { 7, attempt, '' }
end
local codes = { OPEN = 6, ABORTING = 5, PAID = 7, REFUNDING = 8, CANCELLED = 9, RUNNING = 10 }
return { codes[state] or 0, attempt or '', f[3] or '' }
