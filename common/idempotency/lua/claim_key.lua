#!lua
-- claim_key: does nothing by itself; with once it ties an idempotency key to one request.
-- KEYS  none
-- returns {code}
--   1 DONE
-- May be repeated.
return { DONE }
