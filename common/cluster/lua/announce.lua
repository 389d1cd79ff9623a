#!lua flags=allow-oom
-- announce: raises the number of announced or active shards. announce never lowers a number.
-- KEYS  1 activation
-- ARGV  1 the field: "announced", or "open" for active shards  2 number of shards
-- returns {the number that is stored now}
-- Safe to retry. Allowed when memory is full, because operators add a shard when memory is full. Instances call announce
-- repeatedly, so a call whose number is not larger than the stored number writes nothing.
local stored, number = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or 0), tonumber(ARGV[2])
if number > stored then
  redis.call('HSET', KEYS[1], ARGV[1], number)
  return { number }
end
return { stored }
