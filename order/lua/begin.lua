#!lua
-- begin: an attempt to check the order out starts, joins the attempt that runs, or learns how the order stands.
-- KEYS  1 order  2 undecided
-- ARGV  1 a newly minted attempt  2 the order's attempt as the caller last read it, empty at first  3 the order's id
--       4 lease, ms from now  5 deadline, ms from now  6 the trace of the caller, if there is one: recovery refers to it
-- returns {code, attempt, reason[, 0, all fields of the order]}; the fields come with 1, 3 and 5, where there is work to do, as
-- they were before, and the deadline at the end as it is now
--   0 NOT_FOUND   1 STARTED   2 STALE: begin again, after the attempt returned   3 RESUMED: same attempt, or the lease ran out
--   4 BUSY: another attempt's lease holds   5 ABORTING   6 CLOSED: this very attempt was closed, with its reason
--   7 PAID (an empty order at once)   8 REFUNDING   9 CANCELLED
-- May be repeated: a late duplicate of a closed attempt finds itself or a successor, and starts nothing.
local fields = redis.call('HGETALL', KEYS[1]) -- once: it is what is asked and what is answered
local f = {}
for i = 1, #fields, 2 do
  f[fields[i]] = fields[i + 1]
end
local state, attempt, reason = f.s, f.a or '', f.r or ''
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local deadline = f.dl
if state == 'OPEN' then
  if attempt == ARGV[1] then
    return { 6, attempt, reason }
  elseif attempt ~= ARGV[2] then
    return { 2, attempt, reason }
  elseif f.k == '0' then
    redis.call('HSET', KEYS[1], 's', 'PAID', 'a', ARGV[1])
    return { 7, ARGV[1], '' }
  end
  -- As text: newer servers store a number with many zeros as 1.7e+12, and Go reads this one.
  attempt, deadline = ARGV[1], string.format('%.0f', now + ARGV[5])
elseif state == 'RUNNING' then
  if attempt ~= ARGV[1] and now < tonumber(f.lease) then
    return { 4, attempt, '' }
  end
elseif state == 'ABORTING' then
  return { 5, attempt, reason, 0, fields }
else
  return { ({ PAID = 7, REFUNDING = 8, CANCELLED = 9 })[state] or 0, attempt, reason }
end
local lease = now + ARGV[4]
redis.call('HSET', KEYS[1], 's', 'RUNNING', 'a', attempt, 'dl', deadline, 'lease', lease)
if ARGV[6] then
  redis.call('HSET', KEYS[1], 'tp', attempt .. ' ' .. ARGV[6])
end
redis.call('ZADD', KEYS[2], lease, ARGV[3])
fields[#fields + 1] = 'dl'
fields[#fields + 1] = deadline
return { state == 'OPEN' and 1 or 3, attempt, '', 0, fields }
