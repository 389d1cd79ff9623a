#!lua flags=allow-oom
-- claim: a recovery worker takes an undecided order upon itself for a while.
-- KEYS  1 order  2 undecided
-- ARGV  1 the order's id  2 for how long, ms
-- returns {code, attempt, reason, not-after of refunds, all fields of the order}
--   5 ABORTING   8 REFUNDING   10 RUNNING, and the lease ran out
-- or {0}: there is nothing to do, or not yet; an entry whose order is decided or gone is dropped
-- May be repeated: that finds the entry pushed forward. Allowed when memory is full: what was taken must be given back.
local due = redis.call('ZSCORE', KEYS[2], ARGV[1])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if not due or tonumber(due) > now then
  return { 0 }
end
local f = redis.call('HMGET', KEYS[1], 's', 'a', 'r', 'lease')
local code = ({ RUNNING = 10, ABORTING = 5, REFUNDING = 8 })[f[1]]
if not code then
  redis.call('ZREM', KEYS[2], ARGV[1])
  return { 0 }
end
if code == 10 and now < tonumber(f[4]) then
  redis.call('ZADD', KEYS[2], f[4], ARGV[1])
  return { 0 }
end
redis.call('ZADD', KEYS[2], string.format('%.0f', now + ARGV[2]), ARGV[1])
return { code, f[2], f[3] or '', string.format('%.0f', now + 60000), redis.call('HGETALL', KEYS[1]) }
