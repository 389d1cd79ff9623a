#!lua flags=allow-oom
-- remove: deletes an open order.
-- KEYS  1 order  2 orders
-- ARGV  1 order ID  2 prefix of the key of a user's orders
-- returns {code[, state]}
--   0 NOT_FOUND   1 DONE   2 NOT_OPEN
-- Must not be retried: the second call would return NOT_FOUND.
local f = redis.call('HMGET', KEYS[1], 's', 'u')
local state = f[1]
if not state then
  return { NOT_FOUND }
elseif state ~= 'OPEN' then
  return { NOT_OPEN, state }
end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', ARGV[2] .. (f[2] or ''), ARGV[1])
return { DONE }
