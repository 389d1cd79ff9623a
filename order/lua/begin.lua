#!lua
-- begin: an attempt to check the order out starts, joins the attempt that runs, or learns how the order stands.
-- KEYS  1 order  2 undecided
-- ARGV  1 a newly minted attempt  2 the order's attempt as the caller last read it, empty at first  3 the order's id
--       4 lease, ms from now  5 deadline, ms from now
-- returns {code[, attempt, reason, user, total, deadline, 0, item, quantities@prices, ...]}
--   0 NOT_FOUND   1 STARTED   2 STALE: begin again, after the attempt returned   3 RESUMED: same attempt, or the lease ran out
--   4 BUSY: another attempt's lease holds   5 ABORTING   6 CLOSED: this very attempt was closed, with its reason
--   7 PAID (an empty order at once)   8 REFUNDING   9 CANCELLED
-- May be repeated: a late duplicate of a closed attempt finds itself or a successor, and starts nothing.
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
local code = ({ ABORTING = 5, PAID = 7, REFUNDING = 8, CANCELLED = 9 })[f.s]
if f.s == 'RUNNING' then
  code = (f.a == ARGV[1] or now >= tonumber(f.lease)) and 3 or 4
elseif f.s == 'OPEN' then
  if f.a == ARGV[1] then
    code = 6
  elseif (f.a or '') ~= ARGV[2] then
    code = 2
  elseif #lines == 0 then
    code = 7
    redis.call('HSET', KEYS[1], 's', 'PAID', 'a', ARGV[1])
  else
    code = 1
    f.a = ARGV[1]
    f.dl = string.format('%.0f', now + ARGV[5])
  end
end
if code == 1 or code == 3 then
  local lease = string.format('%.0f', now + ARGV[4])
  redis.call('HSET', KEYS[1], 's', 'RUNNING', 'a', f.a, 'dl', f.dl, 'lease', lease)
  redis.call('ZADD', KEYS[2], lease, ARGV[3])
end
if code ~= 1 and code ~= 3 and code ~= 5 then
  lines = {}
end
return { code, f.a or '', f.r or '', f.u, f.t, f.dl or '0', '0', unpack(lines) }
