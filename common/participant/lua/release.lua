#!lua flags=allow-oom
-- release: adds the reserved amounts of an attempt back to the counters. The attempt cannot reserve anything afterwards.
-- KEYS  1 record of the attempt  2.. every counter that the attempt may have reserved from
-- ARGV  1 deadline of the attempt, Unix ms
-- returns {code}
--   3 RELEASED: by this call or an earlier one, or nothing was reserved
--   2 REFUSED: a refusal is recorded, so nothing is reserved
--   0 UNKNOWN: the record contains a counter that is not in KEYS; nothing is changed
-- Safe to retry. The record contains the amounts (see reserve.lua). If there is no record, release writes a tombstone, so that a
-- late reserve has no effect. Allowed when memory is full, because a release must not fail.
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
