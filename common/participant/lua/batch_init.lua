#!lua
-- batch_init: creates or overwrites counters and their attributes, and deletes other keys of the same IDs.
-- KEYS  for each ID: the counter, its attributes, keys to delete; last: the marker of the batch_init
-- ARGV  1 ID of the batch_init  2 number of values per ID  3 number of keys to delete per ID
--       4.. values of every ID: counter, attributes
-- returns {code}
--   0 INTERRUPTED: the marker has expired, so an attempt may have reserved from the counters; nothing is changed   1 DONE
-- Safe to retry.
if redis.call('GET', KEYS[#KEYS]) ~= ARGV[1] then
  return { INTERRUPTED }
end
local values = tonumber(ARGV[2])
local group, written, deleted = values + ARGV[3], {}, {}
for i = 1, #KEYS - 1 do
  local at = (i - 1) % group + 1
  if at <= values then
    written[#written + 1] = KEYS[i]
    written[#written + 1] = ARGV[3 + at]
  else
    deleted[#deleted + 1] = KEYS[i]
  end
end
redis.call('MSET', unpack(written))
if #deleted > 0 then
  redis.call('DEL', unpack(deleted))
end
return { DONE }
