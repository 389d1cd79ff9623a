#!lua flags=allow-oom
-- mark: sets, renews or removes the marker of a batch_init on a shard.
-- KEYS  1 marker
-- ARGV  1 ID of the batch_init, which becomes the value of the marker
--       2 value that the marker must have: the same ID to renew or remove the marker, "" to set it
--       3 lifetime of the marker in ms, or 0 to remove it
-- returns {code}
--   0 TAKEN: another batch_init has set the marker, or the marker to renew or remove has expired; nothing is changed   1 DONE
-- Safe to retry. Allowed when memory is full, so that the marker can be removed.
local have = redis.call('GET', KEYS[1]) or ''
if have ~= ARGV[2] and have ~= ARGV[1] then
  return { TAKEN }
end
if ARGV[3] == '0' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
end
return { DONE }
