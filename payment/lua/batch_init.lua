#!lua
-- batch_init: users are overwritten, or made.
-- KEYS  1.. the hash of each user
-- ARGV  1 the credit of each
-- returns {code}
--   1 DONE
-- May be repeated.
for i = 1, #KEYS do
  redis.call('DEL', KEYS[i])
  redis.call('HSET', KEYS[i], 'n', ARGV[1])
end
return { 1 }
