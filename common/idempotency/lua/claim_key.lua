#!lua
-- claim_key: does nothing itself. Its idempotent version (see once.lua) records the request that an idempotency key belongs to.
-- KEYS  none
-- returns {code}
--   1 DONE
-- Safe to retry.
return { DONE }
