#!lua
-- begin: starts an attempt to check the order out, joins the running attempt, or returns the state of the order.
-- KEYS  1 order  2 undecided
-- ARGV  1 attempt to start  2 last attempt that the caller has read from the order, or ""  3 order ID
--       4 lease in ms  5 incarnation of the caller  6 optional: traceparent of the caller, for recovery
-- returns {code, attempt, reason[, 0, fields]}. Codes 1, 3 and 5 include the fields: all fields of the order before the change,
-- followed by the current deadline. The 0 is in the place of the not-after time that other scripts return.
--   0 NOT_FOUND   1 STARTED   2 STALE: ARGV 2 is not the last attempt; call begin again with the returned attempt
--   3 RESUMED: this attempt is running, or another attempt of the same request, or one with an expired lease
--   4 BUSY: an attempt of another request has a valid lease, or the caller renews a lease (ARGV 1 is ARGV 2) and another attempt
--     is running
--   5 ABORTING   6 CLOSED: this attempt was closed; reason says why
--   7 PAID   8 REFUNDING   9 CANCELLED
-- Safe to retry: a late duplicate for a closed attempt returns CLOSED or STALE and starts nothing.
local fields = redis.call('HGETALL', KEYS[1]) -- one read, for the decision and for the reply
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
  end
  attempt, deadline = ARGV[1], ms(now + DEADLINE_MS)
elseif state == 'RUNNING' then
  -- Attempts of one request start with the same name: see order/saga/attempt.go.
  local same, renewal = string.sub(attempt, 1, NAME_LENGTH) == string.sub(ARGV[1], 1, NAME_LENGTH), ARGV[1] == ARGV[2]
  if renewal and attempt ~= ARGV[1] or not same and now < tonumber(f.lease) then
    return { BUSY, attempt, '' }
  end
elseif state == 'ABORTING' then
  return { ABORTING, attempt, reason, 0, fields }
else
  return { code_of(state), attempt, reason }
end
local lease = ms(now + ARGV[4])
local h = f.h or ''
if state == 'OPEN' then
  h = f.h and with_event(f.h .. '#' .. string.sub(f.a or '', 1, 8), 'B', now, f.dl, f.by, ARGV[5]) or 'B'
elseif f.by ~= ARGV[5] and not string.find(h, 'S%-?%d*$') then
  h = with_event(h, 'S', now, f.dl, f.by, ARGV[5])
end
redis.call('HSET', KEYS[1], 's', 'RUNNING', 'a', attempt, 'dl', deadline, 'lease', lease, 'by', ARGV[5], 'h', h)
if ARGV[6] then
  redis.call('HSET', KEYS[1], 'tp', attempt .. ' ' .. ARGV[6])
end
redis.call('ZADD', KEYS[2], lease, ARGV[3])
fields[#fields + 1] = 'dl'
fields[#fields + 1] = deadline
return { state == 'OPEN' and STARTED or RESUMED, attempt, '', 0, fields }
