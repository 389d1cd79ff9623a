#!lua
-- cancel: the payment of a paid order is to be undone: the reverse saga begins, or is carried on.
-- KEYS  1 order  2 undecided
-- ARGV  1 the attempt that paid it  2 the order's id  3 lease, ms from now: before it ends no worker need look
-- returns {code, attempt, reason[, not-after of the refunds, all fields of the order]}; the latter two with 8
--   0 NOT_FOUND   5 ABORTING   6 OPEN   7 PAID by another attempt   8 REFUNDING, now or before   9 CANCELLED   10 RUNNING
-- The order's deadline is from now on that of the cancellation, as of an attempt that begins now: it tells how old it is.
-- May be repeated.
local f = redis.call('HMGET', KEYS[1], 's', 'a', 'r')
local state, attempt, reason = f[1], f[2] or '', f[3] or ''
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if state == 'PAID' and attempt == ARGV[1] then
  redis.call('HSET', KEYS[1], 's', 'REFUNDING', 'dl', string.format('%.0f', now + 30000))
  redis.call('ZADD', KEYS[2], string.format('%.0f', now + ARGV[3]), ARGV[2])
  state = 'REFUNDING'
end
if state == 'REFUNDING' then
  return { 8, attempt, reason, string.format('%.0f', now + 60000), redis.call('HGETALL', KEYS[1]) }
end
return { ({ OPEN = 6, ABORTING = 5, PAID = 7, CANCELLED = 9, RUNNING = 10 })[state] or 0, attempt, reason }
