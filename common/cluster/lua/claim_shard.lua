#!lua flags=allow-oom
-- claim_shard: gives an empty database the identity of a shard. If several instances call it, the first ID stays.
-- KEYS  1 identity; for a replicated shard also  2 epoch  3 write sequence
-- ARGV  1 system  2 service  3 index of the shard  4 ID, a UUID
-- returns {the ID that is stored now, or "" if the database has data without an identity}
-- Safe to retry. Allowed when memory is full: the script adds only one small hash. A database is empty if it has no keys
-- except KEYS 2 and 3.
if redis.call('EXISTS', KEYS[1]) == 0 then
  if redis.call('DBSIZE') > redis.call('EXISTS', unpack(KEYS)) then
    return { '' }
  end
  redis.call('HSET', KEYS[1], 'system', ARGV[1], 'service', ARGV[2], 'index', ARGV[3], 'id', ARGV[4])
end
return { redis.call('HGET', KEYS[1], 'id') }
