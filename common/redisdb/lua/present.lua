#!lua flags=allow-oom
-- present: a machine says how many shards it knows, and learns the fewest that any machine knows.
-- KEYS  growth, of shard 0
-- ARGV  1 the machine  2 the number of shards that it knows  3 after how many ms without a word a machine is gone
-- returns the fewest that a machine knows which is there
-- May be repeated. A full shard must not stand in the way of the next one.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local fields, fewest = redis.call('HGETALL', KEYS[1]), tonumber(ARGV[2])
for i = 1, #fields, 2 do
  if string.find(fields[i], '^machine ') then
    local known, said = string.match(fields[i + 1], '^(%d+) (%d+)$')
    if said + ARGV[3] < now then
      redis.call('HDEL', KEYS[1], fields[i])
    elseif tonumber(known) < fewest then
      fewest = tonumber(known)
    end
  end
end
redis.call('HSET', KEYS[1], 'machine ' .. ARGV[1], ARGV[2] .. ' ' .. string.format('%.0f', now))
return fewest
