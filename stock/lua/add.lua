#!lua
-- add: pieces are put on the shelf.
-- KEYS  1 the item's pieces
-- ARGV  1 how many; 2 the most that there may be
-- returns {code}
--   1 DONE   0 NOT_FOUND   3 TOO_MUCH: there would be more than there may be
-- Must not be repeated: each call adds. But for DONE nothing is changed.
local have = redis.call('GET', KEYS[1])
if not have then
  return { 0 }
end
if tonumber(have) > ARGV[2] - ARGV[1] then
  return { 3 }
end
redis.call('INCRBY', KEYS[1], ARGV[1])
return { 1 }
