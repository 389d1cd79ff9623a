#!lua flags=allow-oom
-- adopt_shard: gives a database the identity of a shard, whatever data the database has. Only an operator runs this script.
-- KEYS  1 identity  2 activation; absent on an engine, where the caller has already raised both numbers (ARGV 6 and 7)
-- ARGV  1 system  2 service  3 index of the shard  4 new ID, a UUID  5 the IDs that the new ID replaces; "*" stands for any ID
--       6 number of announced shards  7 number of active shards  8.. pairs of field and value: records of the other shards
-- returns {1}
-- Safe to retry. Allowed when memory is full, so that an operator can adopt a full shard.
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'system', ARGV[1], 'service', ARGV[2], 'index', ARGV[3], 'id', ARGV[4], 'replaces', ARGV[5],
  'complete', 1, unpack(ARGV, 8))
for i, field in ipairs(KEYS[2] and { 'announced', 'open' } or {}) do
  local number = tonumber(ARGV[5 + i])
  if number > tonumber(redis.call('HGET', KEYS[2], field) or 0) then
    redis.call('HSET', KEYS[2], field, number)
  end
end
return { 1 }
