#!lua flags=no-writes
-- list: returns objects of this shard, newest first: those in the index, and then those with decimal IDs.
-- KEYS  1 ids: the index
-- ARGV  1 upper end of the range in the index, as in ZRANGE BYLEX, or "" to skip the index
--       2 largest decimal ID to return, or -1   3 difference between successive decimal IDs of this shard
--       4 largest number of IDs to return   5.. prefixes of the keys of an object
-- returns {IDs, values}: for each ID, a value for each prefix. If a value does not exist, the object does not exist.
local limit = tonumber(ARGV[4])
local ids, values = {}, {}
if ARGV[1] ~= '' then
  ids = redis.call('ZRANGE', KEYS[1], ARGV[1], '-', 'BYLEX', 'REV', 'LIMIT', 0, limit)
end
for n = tonumber(ARGV[2]), 0, -ARGV[3] do
  if #ids == limit then
    break
  end
  ids[#ids + 1] = string.format('%d', n)
end
local keys = {}
for _, id in ipairs(ids) do
  for i = 5, #ARGV do
    keys[#keys + 1] = ARGV[i] .. id
  end
end
if #keys > 0 then
  values = redis.call('MGET', unpack(keys))
end
return { ids, values }
