#!lua flags=allow-oom
-- claim: assigns an undecided order to one recovery worker for some time.
-- KEYS  1 order  2 undecided
-- ARGV  1 order ID  2 duration of the claim in ms  3 incarnation of the caller
--       4 optional: a dead incarnation. If it is the incarnation of the order, the order need not be due, and its lease may be
--         valid. If the order has another incarnation, the script returns {0}.
-- returns {code, attempt, reason, not-after time of refunds, all fields of the order}
--   5 ABORTING   8 REFUNDING   10 RUNNING, and the lease has expired or the incarnation of the order is dead
-- or an error: the key of the order has the wrong type. The order is due again after the duration of the claim.
-- or {0}: there is nothing to do now. If a due order is decided or does not exist, the script removes its entry from the set
-- "undecided".
-- Safe to retry: the second call returns {0}, because the order is no longer due or, with ARGV 4, now has the incarnation of
-- the caller. Allowed when memory is full, so that recovery can still release reservations.
local due = redis.call('ZSCORE', KEYS[2], ARGV[1])
local now = now_ms()
if not due or not ARGV[4] and tonumber(due) > now then
  return { NOT_FOUND }
end
local f = redis.pcall('HMGET', KEYS[1], 's', 'a', 'r', 'lease', 'by', 'h', 'dl')
if f.err then -- due again later, so that this order does not block others
  redis.call('ZADD', KEYS[2], ms(now + ARGV[2]), ARGV[1])
  return f
end
local code = ({ RUNNING = RUNNING, ABORTING = ABORTING, REFUNDING = REFUNDING })[f[1]]
if ARGV[4] and f[5] ~= ARGV[4] then
  return { NOT_FOUND } -- another instance works on the order
end
if not code then
  redis.call('ZREM', KEYS[2], ARGV[1])
  return { NOT_FOUND }
end
if not ARGV[4] and code == RUNNING and now < (tonumber(f[4]) or 0) then
  redis.call('ZADD', KEYS[2], f[4], ARGV[1])
  return { NOT_FOUND }
end
redis.call('ZADD', KEYS[2], ms(now + ARGV[2]), ARGV[1])
local history = f[6] or ''
if not string.find(history, 'V%-?%d*$') then -- consecutive claims are one event
  history = with_event(history, 'V', now, f[7], f[5], ARGV[3])
end
redis.call('HSET', KEYS[1], 'by', ARGV[3], 'h', history)
return { code, f[2], f[3] or '', ms(now + REFUND_WINDOW_MS), redis.call('HGETALL', KEYS[1]) }
