#!lua flags=allow-oom
-- cancel_payment: what was paid by hand for an order is given back, once.
-- KEYS  1 the user's credit; 2 the user's payments by hand
-- ARGV  1 the order; 2 the most credit that there may be
-- returns {code}
--   1 DONE: now or before   0 NOT_FOUND: no such user   7 NOTHING: was ever paid for it by hand
--   3 TOO_MUCH: there would be more credit than there may be; nothing is changed
-- May be repeated. Allowed when memory is full: giving back must not be refused.
local have = redis.call('GET', KEYS[1])
if not have then
  return { 0 }
end
local paid = redis.call('HGET', KEYS[2], ARGV[1])
if not paid then
  return { 7 }
elseif string.sub(paid, 1, 1) == '-' then
  return { 1 }
end
if tonumber(have) > ARGV[2] - paid then
  return { 3 }
end
redis.call('INCRBY', KEYS[1], paid)
redis.call('HSET', KEYS[2], ARGV[1], '-' .. paid)
return { 1 }
