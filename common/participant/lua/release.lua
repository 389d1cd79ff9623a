#!lua flags=allow-oom
-- release: returns to the counters what an attempt has reserved, and keeps it from reserving again.
-- KEYS  1 record of the attempt; 2.. every counter that it may have reserved from
-- ARGV  1 deadline of the attempt, Unix ms
-- returns {code}
--   3 RELEASED: now or before, or nothing was reserved   2 REFUSED: nothing was reserved, and nothing ever will be
--   0 UNKNOWN: the record names a counter that KEYS does not; nothing is done
-- May be repeated. The record says how much is returned (reserve.lua). Without a record, a tombstone is written, so that a late
-- reserve takes nothing. Allowed when memory is full: a release must not be refused.
local record = redis.call('GET', KEYS[1])
local code = record and tonumber(string.sub(record, 1, 1))
if code and code ~= RESERVED then
  return { code }
end
local reserved, missing = {}, 0
for counter, amount in string.gmatch(record or '', ' (%S+) (%d+)') do
  reserved[counter] = amount
  missing = missing + 1
end
for i = 2, #KEYS do
  if reserved[KEYS[i]] then
    missing = missing - 1
  end
end
if missing ~= 0 then
  return { UNKNOWN }
end
for i = 2, #KEYS do
  if reserved[KEYS[i]] then
    redis.call('INCRBY', KEYS[i], reserved[KEYS[i]])
  end
end
redis.call('SET', KEYS[1], RELEASED, 'PXAT', ms(ARGV[1] + RETENTION_MS))
return { RELEASED }
