#!lua
-- batch_init: users are overwritten, or made; what they paid by hand is forgotten.
-- KEYS  1.. of each user: the credit, the payments by hand
-- ARGV  1 the credit of each
-- returns {code}
--   1 DONE
-- May be repeated.
local users, payments = {}, {}
for i = 1, #KEYS, 2 do
  users[i], users[i + 1] = KEYS[i], ARGV[1]
  payments[#payments + 1] = KEYS[i + 1]
end
redis.call('MSET', unpack(users))
redis.call('DEL', unpack(payments))
return { 1 }
