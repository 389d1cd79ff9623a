#!lua
-- create: creates a counter with value 0 and its attributes, and adds the counter's ID to the index that the list routes read.
-- KEYS  1 counter  2 ids: the index  3.. attributes
-- ARGV  1 ID, or "" to leave it out of the index  2 number of attributes  3.. their values
--       More KEYS and ARGV may follow, for once.lua.
-- returns {code}
--   1 DONE   4 TAKEN: the counter or an attribute exists; nothing is changed
-- Must not be retried: the second call would return TAKEN.
local values = { KEYS[1], 0 }
for i = 3, 2 + ARGV[2] do
  values[2 * i - 3], values[2 * i - 2] = KEYS[i], ARGV[i]
end
if redis.call('MSETNX', unpack(values)) == 0 then
  return { TAKEN }
end
if ARGV[1] ~= '' then
  redis.call('ZADD', KEYS[2], 0, ARGV[1])
end
return { DONE }
