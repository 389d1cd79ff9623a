#!lua
-- claim_key: does nothing. The idempotent version (once.lua) records which request an idempotency key belongs to.
-- KEYS  none
-- returns {code}
--   1 DONE
-- Safe to retry.
return { DONE }
