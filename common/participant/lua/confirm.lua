#!lua flags=allow-oom
-- confirm: sets an expiry for the records of paid and refunded attempts.
-- KEYS  1.. records of paid or refunded attempts
-- ARGV  1.. expiry of each record, Unix ms
-- returns {number of records that got an expiry}
-- Safe to retry: confirm skips records that do not exist or already have an expiry. Allowed when memory is full, because expired
-- records free memory.
local expiring = 0
for i = 1, #KEYS do
  expiring = expiring + redis.call('PEXPIREAT', KEYS[i], ARGV[i], 'NX')
end
return { expiring }
