#!lua flags=allow-oom
-- delete: deletes counters, their attributes and other keys of the same IDs, before batch_init moves the IDs to other shards.
-- KEYS  the keys to delete; last: the marker of the batch_init
-- ARGV  1 ID of the batch_init
-- returns {code}
--   0 INTERRUPTED: the marker has expired; nothing is changed   1 DONE
-- Safe to retry. Allowed when memory is full, because the script frees memory.
if redis.call('GET', KEYS[#KEYS]) ~= ARGV[1] then
  return { INTERRUPTED }
end
redis.call('UNLINK', unpack(KEYS, 1, #KEYS - 1))
return { DONE }
