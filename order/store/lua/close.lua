#!lua flags=allow-oom
-- close: reopens the order after every participant has released this attempt.
-- KEYS  1 order  2 undecided
-- ARGV  1 attempt  2 order ID
-- returns {code}
--   6 CLOSED, always. The script changes the order only if the order is ABORTING with this attempt.
-- Safe to retry. Allowed when memory is full.
local f = redis.call('HMGET', KEYS[1], 's', 'a', 'h', 'dl')
if f[1] == 'ABORTING' and f[2] == ARGV[1] then
  redis.call('HSET', KEYS[1], 's', 'OPEN', 'h', with_event(f[3], 'C', now_ms(), f[4]))
  redis.call('ZREM', KEYS[2], ARGV[2])
end
return { CLOSED }
