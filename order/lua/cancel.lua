#!lua
-- cancel: the payment of a paid order is to be undone: the reverse saga begins, or is carried on.
-- KEYS  1 order  2 undecided
-- ARGV  1 the attempt that paid it  2 the order's id  3 lease, ms from now: before it ends no worker need look
-- returns {code[, attempt, reason, user, total, deadline, not-after of the refunds, item, quantities@prices, ...]}
--   0 NOT_FOUND   5 ABORTING   6 OPEN   7 PAID by another attempt   8 REFUNDING, now or before   9 CANCELLED   10 RUNNING
-- May be repeated.
local order = redis.call('HGETALL', KEYS[1])
if #order == 0 then
  return { 0 }
end
local f, lines = {}, {}
for i = 1, #order, 2 do
  if string.sub(order[i], 1, 2) == 'i:' then
    lines[#lines + 1] = string.sub(order[i], 3)
    lines[#lines + 1] = order[i + 1]
  else
    f[order[i]] = order[i + 1]
  end
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if f.s == 'PAID' and f.a == ARGV[1] then
  f.s = 'REFUNDING'
  redis.call('HSET', KEYS[1], 's', f.s)
  redis.call('ZADD', KEYS[2], string.format('%.0f', now + ARGV[3]), ARGV[2])
end
local code = ({ OPEN = 6, ABORTING = 5, PAID = 7, REFUNDING = 8, CANCELLED = 9, RUNNING = 10 })[f.s]
return { code, f.a or '', f.r or '', f.u, f.t, f.dl or '0', string.format('%.0f', now + 60000), unpack(lines) }
