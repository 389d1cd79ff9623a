#!lua flags=allow-oom
-- cancel_payment: what was paid by hand for an order is given back, once.
-- KEYS  1 the user's hash
-- ARGV  1 the payment's field in it; 2 the most credit that there may be
-- returns {code}
--   1 DONE: now or before   0 NOT_FOUND: no such user   7 NOTHING: was ever paid for it by hand
--   3 TOO_MUCH: there would be more credit than there may be; nothing is changed
-- May be repeated. Allowed when memory is full: giving back must not be refused.
local found = redis.call('HMGET', KEYS[1], 'n', ARGV[1])
local have, paid = found[1], found[2]
if not have then
  return { 0 }
end
if not paid then
  return { 7 }
elseif string.sub(paid, 1, 1) == '-' then
  return { 1 }
end
if tonumber(have) > ARGV[2] - paid then
  return { 3 }
end
redis.call('HINCRBY', KEYS[1], 'n', paid)
redis.call('HSET', KEYS[1], ARGV[1], '-' .. paid)
return { 1 }
