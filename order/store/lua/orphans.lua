#!lua flags=no-writes
-- orphans: lists the undecided orders whose coordinator is not connected to this shard.
-- KEYS  1 undecided
-- ARGV  1 prefix of the key of an order  2.. incarnations that are connected to this shard
-- returns {ID, incarnation, ID, incarnation, ...}. Orders without an incarnation are not listed.
local connected = {}
for i = 2, #ARGV do
  connected[ARGV[i]] = true
end
local orphans = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local by = redis.call('HGET', ARGV[1] .. id, 'by')
  if by and not connected[by] then
    orphans[#orphans + 1] = id
    orphans[#orphans + 1] = by
  end
end
return orphans
