#!lua
-- begin: starts an attempt to check the order out, joins the running attempt, or returns the order's state.
-- KEYS  1 order  2 undecided
-- ARGV  1 a newly minted attempt  2 the order's attempt as the caller last read it, empty at first  3 order ID
--       4 lease, ms  5 optional: the caller's trace, which recovery links to
-- returns {code, attempt, reason[, 0, all fields of the order]}. With 1, 3 and 5 there is work to do, and the fields follow: as
-- they were before, and the current deadline at the end.
--   0 NOT_FOUND   1 STARTED   2 STALE: begin again, after the attempt returned   3 RESUMED: same attempt, or the lease expired
--   4 BUSY: another attempt holds the lease   5 ABORTING   6 CLOSED: this very attempt was closed, with its reason
--   7 PAID (an empty order at once)   8 REFUNDING   9 CANCELLED
-- May be repeated: a late duplicate of a closed attempt finds that attempt or a later one, and starts nothing.
local fields = redis.call('HGETALL', KEYS[1]) -- read once, for the decision and for the reply
local f = {}
for i = 1, #fields, 2 do
  f[fields[i]] = fields[i + 1]
end
local state, attempt, reason = f.s, f.a or '', f.r or ''
local now, deadline = now_ms(), f.dl
if state == 'OPEN' then
  if attempt == ARGV[1] then
    return { CLOSED, attempt, reason }
  elseif attempt ~= ARGV[2] then
    return { STALE, attempt, reason }
  elseif f.k == '0' then
    redis.call('HSET', KEYS[1], 's', 'PAID', 'a', ARGV[1])
    return { PAID, ARGV[1], '' }
  end
  attempt, deadline = ARGV[1], ms(now + DEADLINE_MS)
elseif state == 'RUNNING' then
  if attempt ~= ARGV[1] and now < tonumber(f.lease) then
    return { BUSY, attempt, '' }
  end
elseif state == 'ABORTING' then
  return { ABORTING, attempt, reason, 0, fields }
else
  return { code_of(state), attempt, reason }
end
local lease = now + ARGV[4]
redis.call('HSET', KEYS[1], 's', 'RUNNING', 'a', attempt, 'dl', deadline, 'lease', lease)
if ARGV[5] then
  redis.call('HSET', KEYS[1], 'tp', attempt .. ' ' .. ARGV[5])
end
redis.call('ZADD', KEYS[2], lease, ARGV[3])
fields[#fields + 1] = 'dl'
fields[#fields + 1] = deadline
return { state == 'OPEN' and STARTED or RESUMED, attempt, '', 0, fields }
