#!lua flags=allow-oom
-- claim: assigns an undecided order to one recovery worker for some time.
-- KEYS  1 order  2 undecided
-- ARGV  1 order ID  2 duration of the claim in ms
-- returns {code, attempt, reason, not-after time of refunds, all fields of the order}
--   5 ABORTING   8 REFUNDING   10 RUNNING, and the lease has expired
-- or {0}: there is nothing to do now. If the order is decided or does not exist, its entry in the set undecided is removed.
-- Safe to retry: the second call returns {0}, because the entry is not due. Allowed when memory is full, because recovery must
-- release reservations then too.
local due = redis.call('ZSCORE', KEYS[2], ARGV[1])
local now = now_ms()
if not due or tonumber(due) > now then
  return { NOT_FOUND }
end
local f = redis.call('HMGET', KEYS[1], 's', 'a', 'r', 'lease')
local code = ({ RUNNING = RUNNING, ABORTING = ABORTING, REFUNDING = REFUNDING })[f[1]]
if not code then
  redis.call('ZREM', KEYS[2], ARGV[1])
  return { NOT_FOUND }
end
if code == RUNNING and now < tonumber(f[4]) then
  redis.call('ZADD', KEYS[2], f[4], ARGV[1])
  return { NOT_FOUND }
end
redis.call('ZADD', KEYS[2], ms(now + ARGV[2]), ARGV[1])
return { code, f[2], f[3] or '', ms(now + REFUND_WINDOW_MS), redis.call('HGETALL', KEYS[1]) }
