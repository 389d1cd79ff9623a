#!lua
-- claim_key: nothing but what once does with it: an idempotency key belongs to one request.
-- KEYS  none
-- returns {code}
--   1 DONE
-- May be repeated.
return { 1 }
