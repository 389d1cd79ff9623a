#!lua
-- batch_init: creates or overwrites counters and their attributes, and deletes other keys of the same IDs.
-- KEYS  for each ID: the counter, its attributes, keys to delete
-- ARGV  1 number of values per ID  2 number of keys to delete per ID  3.. values of every ID: counter, attributes
-- returns {code}
--   1 DONE
-- Safe to retry.
local values = tonumber(ARGV[1])
local group, written, deleted = values + ARGV[2], {}, {}
for i = 1, #KEYS do
  local at = (i - 1) % group + 1
  if at <= values then
    written[#written + 1] = KEYS[i]
    written[#written + 1] = ARGV[2 + at]
  else
    deleted[#deleted + 1] = KEYS[i]
  end
end
redis.call('MSET', unpack(written))
if #deleted > 0 then
  redis.call('DEL', unpack(deleted))
end
return { DONE }
