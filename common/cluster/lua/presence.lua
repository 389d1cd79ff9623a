#!lua flags=allow-oom
-- presence: stores how many shards an instance knows, and returns the smallest number that any running instance knows.
-- KEYS  1 activation, on shard 0
-- ARGV  1 instance  2 number of shards that this instance knows  3 age in ms of an entry whose instance counts as stopped
-- returns {smallest number of shards that a running instance knows}
-- Safe to retry. Allowed when memory is full, because a new shard is needed then.
local now = now_ms()
local fields, fewest = redis.call('HGETALL', KEYS[1]), tonumber(ARGV[2])
for i = 1, #fields, 2 do
  if string.find(fields[i], '^machine ') then
    local known, reported = string.match(fields[i + 1], '^(%d+) (%d+)$')
    if reported + ARGV[3] < now then
      redis.call('HDEL', KEYS[1], fields[i])
    elseif tonumber(known) < fewest then
      fewest = tonumber(known)
    end
  end
end
redis.call('HSET', KEYS[1], 'machine ' .. ARGV[1], ARGV[2] .. ' ' .. ms(now))
return { fewest }
