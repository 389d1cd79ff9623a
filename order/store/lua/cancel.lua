#!lua
-- cancel: starts or continues the cancellation of a paid order.
-- KEYS  1 order  2 undecided
-- ARGV  1 attempt that paid the order  2 order ID
--       3 time in ms after which recovery may claim the order (at once if the caller dies)  4 incarnation of the caller
-- returns {code, attempt, reason[, not-after time of refunds, all fields of the order]}; the last two only with code 8
--   0 NOT_FOUND   5 ABORTING   6 OPEN   7 PAID by another attempt   8 REFUNDING   9 CANCELLED   10 RUNNING
-- Sets the deadline to now + DEADLINE_MS, as "begin" does: the age of an undecided order is computed from its deadline.
-- Safe to retry.
local f = redis.call('HMGET', KEYS[1], 's', 'a', 'r', 'h', 'dl', 'by')
local state, attempt, reason = f[1], f[2] or '', f[3] or ''
local now = now_ms()
if state == 'PAID' and attempt == ARGV[1] then
  local history = with_event(f[4], 'F', now, f[5], f[6], ARGV[4])
  redis.call('HSET', KEYS[1], 's', 'REFUNDING', 'dl', ms(now + DEADLINE_MS), 'by', ARGV[4], 'h', history)
  redis.call('ZADD', KEYS[2], ms(now + ARGV[3]), ARGV[2])
  state = 'REFUNDING'
end
if state == 'REFUNDING' then
  return { REFUNDING, attempt, reason, ms(now + REFUND_WINDOW_MS), redis.call('HGETALL', KEYS[1]) }
end
return { code_of(state), attempt, reason }
