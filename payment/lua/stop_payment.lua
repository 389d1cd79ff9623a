#!lua flags=allow-oom
-- stop_payment: ends a direct payment in progress without a charge.
-- KEYS  1 direct payments
-- ARGV  1 order ID  2 token
-- returns {code}
--   1 DONE: this payment is no longer in progress
-- Safe to retry. Allowed when memory is full, because the script frees memory.
local token = string.match(redis.call('HGET', KEYS[1], ARGV[1]) or '', '^%?([^:]+):')
if token == ARGV[2] then
  redis.call('HDEL', KEYS[1], ARGV[1])
end
return { DONE }
