#!lua
-- begin: starts an attempt to check the order out, resumes the running attempt, or returns the state of the order.
-- KEYS  1 order  2 undecided
-- ARGV  1 attempt of the caller: a new ID, or the same ID again to retry or to renew the lease
--       2 last attempt that the caller has read from the order, or ""  3 order ID
--       4 lease in ms  5 incarnation of the caller  6 optional: traceparent of the caller, for recovery
-- returns {code, attempt, reason[, 0, fields]}. Only replies with the codes 1, 3 and 5 have all fields of the order,
-- as they were before this call. With the codes 1 and 3, "dl" and the current deadline follow these fields. The 0 has
-- no meaning: other scripts return the not-after time there.
--   0 NOT_FOUND   1 STARTED   2 STALE: ARGV 2 is not the last attempt; call begin again with the returned attempt
--   3 RESUMED: the running attempt is the one in ARGV 1, belongs to the same request, or has an expired lease
--   4 BUSY: another attempt is running. It belongs to another request and has a valid lease, or the caller only wants to renew
--     the lease of its own attempt (ARGV 1 equals ARGV 2)
--   5 ABORTING   6 CLOSED: the attempt in ARGV 1 is closed; reason says why
--   7 PAID   8 REFUNDING   9 CANCELLED
-- Safe to retry: a late duplicate for a closed attempt never starts an attempt, because ARGV 2 is not the last attempt. One
-- exception: batch_init removes the last attempt of an order, so a duplicate with an empty ARGV 2 may start its attempt again.
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
  -- The IDs of all attempts of one request start with the same name: see order/saga/attempt.go.
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
