#!lua flags=allow-oom
-- know_shards: adds fields to the identity of a shard, such as records about other shards.
-- KEYS  1 identity
-- ARGV  1 ID of this shard  2.. fields, each followed by its value. The value of "shard:<index>" or "peer:<service>:<index>" is
--       the ID of that shard, then the former IDs that it replaces. The value of "seen:<index>" is "<ID> <sequence>". The value
--       of "complete" is 1.
-- returns {1, or 0 if this shard has another ID; then nothing is changed}
-- Safe to retry. A smaller sequence of the same ID changes nothing. Allowed when memory is full, because instances need these
-- fields to detect lost data.
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then
  return { 0 }
end
for i = 2, #ARGV, 2 do
  local keep = false
  if string.find(ARGV[i], '^seen:') then
    local stored = redis.call('HGET', KEYS[1], ARGV[i]) or ''
    local id, sequence = string.match(stored, '^(%S+) (%d+)$')
    local new_id, new_sequence = string.match(ARGV[i + 1], '^(%S+) (%d+)$')
    keep = id == new_id and tonumber(sequence) >= tonumber(new_sequence)
  end
  if not keep then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  end
end
return { 1 }
