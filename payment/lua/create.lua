#!lua
-- create: a new user, without credit.
-- KEYS  1 the user's credit
-- returns {code}
--   1 DONE   4 TAKEN: there is such a user, who is left alone
-- Must not be repeated: the second call finds what the first has made.
if redis.call('SETNX', KEYS[1], 0) == 0 then
  return { 4 }
end
return { 1 }
