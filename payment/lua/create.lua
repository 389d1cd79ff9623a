#!lua
-- create: a new user, without credit.
-- KEYS  1 the user's hash
-- returns {code}
--   1 DONE   4 TAKEN: there is such a user, who is left alone
-- Must not be repeated: the second call finds what the first has made.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return { 4 }
end
redis.call('HSET', KEYS[1], 'n', 0)
return { 1 }
