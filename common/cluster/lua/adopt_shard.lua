#!lua flags=allow-oom
-- adopt_shard: gives a database the identity of a shard, with any content of the database. Only an operator runs this script.
-- KEYS  1 identity  2 activation
-- ARGV  1 system  2 service  3 index of the shard  4 ID, a UUID  5 the IDs that it replaces, or "*"
--       6 number of announced shards  7 number of active shards  8.. pairs of field and value: records of the other shards
-- returns {1}
-- Safe to retry. Allowed when memory is full, because the operator wants the data to be used.
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'system', ARGV[1], 'service', ARGV[2], 'index', ARGV[3], 'id', ARGV[4], 'replaces', ARGV[5],
  'complete', 1, unpack(ARGV, 8))
for i, field in ipairs({ 'announced', 'open' }) do
  local number = tonumber(ARGV[5 + i])
  if number > tonumber(redis.call('HGET', KEYS[2], field) or 0) then
    redis.call('HSET', KEYS[2], field, number)
  end
end
return { 1 }
