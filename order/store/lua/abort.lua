#!lua flags=allow-oom
-- abort: decides that this attempt will never be paid. After that, the reservations of the attempt may be released.
-- KEYS  1 order  2 undecided
-- ARGV  1 attempt  2 order ID  3 reason
--       4 time in ms after which recovery may claim the order (at once if the caller dies)
--       5 incarnation of the caller  6 optional: durations until the reservations, as in ARGV 5 of the script "commit"
-- returns {code, attempt, reason}: the state, the last attempt and the stored reason of the order after this call
--   0 NOT_FOUND   5 ABORTING   6 OPEN   7 PAID   8 REFUNDING   9 CANCELLED   10 RUNNING
-- Safe to retry. Allowed when memory is full.
local f = redis.call('HMGET', KEYS[1], 's', 'a', 'r', 'h', 'dl', 'by')
if f[1] == 'RUNNING' and f[2] == ARGV[1] then
  local now, event = now_ms(), 'A' .. string.sub(ARGV[3], 1, 1) .. (ARGV[6] or '')
  local history = with_event(f[4], event, now, f[5], f[6], ARGV[5])
  redis.call('HSET', KEYS[1], 's', 'ABORTING', 'r', ARGV[3], 'by', ARGV[5], 'h', history)
  redis.call('ZADD', KEYS[2], ms(now + ARGV[4]), ARGV[2])
  return { ABORTING, f[2], ARGV[3] }
end
return { code_of(f[1]), f[2] or '', f[3] or '' }
