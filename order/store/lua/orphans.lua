#!lua flags=no-writes
-- orphans: looks at up to `limit` undecided orders, and lists those whose coordinator is not connected to this shard.
-- KEYS  1 undecided
-- ARGV  1 prefix of the key of an order  2 limit  3 rank: look at the orders just below this rank; -1: at the last orders
--       4.. incarnations that are connected to this shard
-- returns {first rank, ID, incarnation, ID, incarnation, ...}. Orders without an incarnation or with a key of the
-- wrong type are not listed. Until the first rank is 0, the next call passes it as ARGV 3, so the calls go from the end
-- of the set to its start. The calls rarely skip an order. If an order leaves the set meanwhile, ranks only become
-- lower. If an order enters the set, it usually becomes the last one, and no other rank changes.
local connected = {}
for i = 4, #ARGV do
  connected[ARGV[i]] = true
end
local stop = tonumber(ARGV[3])
if stop < 0 then
  stop = redis.call('ZCARD', KEYS[1])
end
local first = math.max(0, stop - tonumber(ARGV[2]))
local orphans = { first }
for _, id in ipairs(stop > 0 and redis.call('ZRANGE', KEYS[1], first, stop - 1) or {}) do
  local by = redis.pcall('HGET', ARGV[1] .. id, 'by') -- an error if the key has the wrong type
  if type(by) == 'string' and not connected[by] then
    orphans[#orphans + 1] = id
    orphans[#orphans + 1] = by
  end
end
return orphans
