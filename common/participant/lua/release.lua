#!lua flags=allow-oom
-- release: what an attempt took of the counters of this shard is given back, and it will never take any more.
-- KEYS  1 the attempt's record; 2.. each counter that it may have taken from
-- ARGV  1 the attempt's deadline, ms
-- returns {code}
--   3 RELEASED: given back now or before, or never taken   2 REFUSED: nothing was taken, and nothing ever will be
--   0 the record names a counter that KEYS does not: nothing is done
-- May be repeated. What is given back is what the record says (reserve.lua). Without a record a tombstone is written, so that a
-- reserve that comes later takes nothing. Allowed when memory is full: giving back must not be refused.
local record = redis.call('GET', KEYS[1])
local code = record and string.sub(record, 1, 1)
if code and code ~= '1' then
  return { tonumber(code) }
end
local taken, owed = {}, 0
for counter, amount in string.gmatch(record or '', ' (%S+) (%d+)') do
  taken[counter] = amount
  owed = owed + 1
end
for i = 2, #KEYS do
  if taken[KEYS[i]] then
    owed = owed - 1
  end
end
if owed ~= 0 then
  return { 0 }
end
for i = 2, #KEYS do
  if taken[KEYS[i]] then
    redis.call('INCRBY', KEYS[i], taken[KEYS[i]])
  end
end
redis.call('SET', KEYS[1], '3', 'PXAT', string.format('%.0f', ARGV[1] + 60000))
return { 3 }
