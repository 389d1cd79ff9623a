#!lua flags=allow-oom
-- claim: a recovery worker takes an undecided order upon itself for a while.
-- KEYS  1 order  2 undecided
-- ARGV  1 the order's id  2 for how long, ms
-- returns what begin returns, with the not-after of refunds where begin says 0:
--   5 ABORTING   8 REFUNDING   10 RUNNING, and the lease ran out
-- or {0}: there is nothing to do, or not yet; an entry whose order is decided or gone is dropped
-- May be repeated: that finds the entry pushed forward. Allowed when memory is full: what was taken must be given back.
local due = redis.call('ZSCORE', KEYS[2], ARGV[1])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if not due or tonumber(due) > now then
  return { 0 }
end
local order = redis.call('HGETALL', KEYS[1])
local f, lines = {}, {}
for i = 1, #order, 2 do
  if string.sub(order[i], 1, 2) == 'i:' then
    lines[#lines + 1] = string.sub(order[i], 3)
    lines[#lines + 1] = order[i + 1]
  else
    f[order[i]] = order[i + 1]
  end
end
local code = ({ RUNNING = 10, ABORTING = 5, REFUNDING = 8 })[f.s]
if not code then
  redis.call('ZREM', KEYS[2], ARGV[1])
  return { 0 }
end
if code == 10 and now < tonumber(f.lease) then
  redis.call('ZADD', KEYS[2], f.lease, ARGV[1])
  return { 0 }
end
redis.call('ZADD', KEYS[2], string.format('%.0f', now + ARGV[2]), ARGV[1])
return { code, f.a, f.r or '', f.u, f.t, f.dl, string.format('%.0f', now + 60000), unpack(lines) }
