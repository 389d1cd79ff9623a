#!lua flags=allow-oom
-- release: adds the reserved amounts of an attempt back to the counters. The attempt cannot reserve anything afterwards.
-- KEYS  1 record of the attempt  2.. every counter that the attempt may have reserved from
-- ARGV  1 deadline of the attempt, Unix ms
-- returns {code[, counter, counter, ...]}
--   3 RELEASED: nothing is reserved any more. If amounts were reserved, this call or an earlier one added them to the counters
--     that still exist. The reply and the record list the counters that no longer exist.
--   2 REFUSED: a refusal is recorded, so nothing is reserved
--   0 UNKNOWN: the record contains a counter that is not in KEYS; nothing is changed
--   9 OVERFLOW: the sum could exceed a 64-bit integer; nothing is changed
-- Safe to retry. The record contains the amounts (see reserve.lua). If there is no record, release writes a tombstone, so that a
-- late reserve has no effect. Allowed when memory is full, because a release must not fail.
local have = redis.call('MGET', unpack(KEYS))
local record = have[1] or ''
local code = tonumber(string.sub(record, 1, 1))
if code == RELEASED then
  return { RELEASED, unpack(words(record)) }
elseif code and code ~= RESERVED then
  return { code }
end
local reserved, missing = {}, 0
for counter, amount in string.gmatch(record, ' (%S+) (%d+)') do
  reserved[counter] = amount
  missing = missing + 1
end
local released = { RELEASED }
for i = 2, #KEYS do
  if reserved[KEYS[i]] then
    missing = missing - 1
    if not have[i] then
      released[#released + 1] = KEYS[i]
    elseif tonumber(have[i]) >= FULL_AT then
      return { OVERFLOW }
    end
  end
end
if missing ~= 0 then
  return { UNKNOWN }
end
for i = 2, #KEYS do
  if reserved[KEYS[i]] and have[i] then
    redis.call('INCRBY', KEYS[i], reserved[KEYS[i]])
  end
end
redis.call('SET', KEYS[1], table.concat(released, ' '), 'PXAT', ms(ARGV[1] + RETENTION_MS))
return released
