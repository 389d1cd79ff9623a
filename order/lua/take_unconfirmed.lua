#!lua flags=allow-oom
-- take_unconfirmed: a worker takes decided attempts upon itself for a while, to confirm them.
-- KEYS  1 unconfirmed
-- ARGV  1 how many at most  2 for how long, ms
-- returns the entries, the longest due first: "<record> <its end, ms> <stock's shards> <payment's shards>"
-- May be repeated: a lost reply delays its entries. Allowed when memory is full: confirmed records end and free memory.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local entries = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now), 'LIMIT', 0, ARGV[1])
local pushed, later = {}, string.format('%d', now + ARGV[2])
for i, entry in ipairs(entries) do
  pushed[2 * i - 1], pushed[2 * i] = later, entry
end
if #pushed > 0 then
  redis.call('ZADD', KEYS[1], unpack(pushed))
end
return entries
