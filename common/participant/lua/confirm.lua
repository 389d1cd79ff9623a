#!lua flags=allow-oom
-- confirm: sets an expiry for the records of decided attempts.
-- KEYS  1.. records of paid or refunded attempts
-- ARGV  1.. expiry of each, Unix ms
-- returns {number of records that got an expiry}
-- May be repeated. Records that are missing, or expire already, are left alone. Allowed when memory is full: it frees memory.
local expiring = 0
for i = 1, #KEYS do
  expiring = expiring + redis.call('PEXPIREAT', KEYS[i], ARGV[i], 'NX')
end
return { expiring }
