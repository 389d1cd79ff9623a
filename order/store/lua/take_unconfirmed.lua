#!lua flags=allow-oom
-- take_unconfirmed: assigns unconfirmed attempts to one confirmation worker for some time.
-- KEYS  1 unconfirmed
-- ARGV  1 maximum number of entries  2 duration of the claim in ms
-- returns the entries by due time: "<record> <expiry, Unix ms> <stock's shards> <payment's shards>"
-- Safe to retry: if the reply is lost, the entries become due again later. Allowed when memory is full, because confirmed records
-- expire and free memory.
local now = now_ms()
local entries = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ms(now), 'LIMIT', 0, ARGV[1])
local later, claimed = ms(now + ARGV[2]), {}
for i, entry in ipairs(entries) do
  claimed[2 * i - 1], claimed[2 * i] = later, entry
end
if #claimed > 0 then
  redis.call('ZADD', KEYS[1], unpack(claimed))
end
return entries
