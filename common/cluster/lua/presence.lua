#!lua flags=allow-oom
-- presence: an instance reports how many shards it knows, and gets the fewest that any running instance knows.
-- KEYS  1 activation, on shard 0
-- ARGV  1 instance  2 number of shards that it knows  3 ms without a report after which an instance is gone
-- returns {the fewest shards that a running instance knows}
-- May be repeated. Allowed when memory is full: then a new shard is needed most.
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
