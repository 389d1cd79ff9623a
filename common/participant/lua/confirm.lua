#!lua flags=allow-oom
-- confirm: the attempts behind these records are decided for good, so the records may end.
-- KEYS  1.. the records of taken or refunded attempts
-- ARGV  1.. when each of them ends, ms
-- returns {number of records that will end by this call}
-- May be repeated. Records that end anyway, as those of any other kind do, and missing ones, are left alone.
local ending = 0
for i = 1, #KEYS do
  ending = ending + redis.call('PEXPIREAT', KEYS[i], ARGV[i], 'NX')
end
return { ending }
