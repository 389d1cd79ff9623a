#!lua
-- create: creates a counter with value 0, and its attributes.
-- KEYS  1 counter  2.. attributes
-- ARGV  1 number of attributes  2.. their values. More KEYS and ARGV may follow, for once.lua.
-- returns {code}
--   1 DONE   4 TAKEN: one of the keys exists; nothing is changed
-- Must not be retried: the second call would return TAKEN.
local values = { KEYS[1], 0 }
for i = 2, 1 + ARGV[1] do
  values[2 * i - 1], values[2 * i] = KEYS[i], ARGV[i]
end
if redis.call('MSETNX', unpack(values)) == 0 then
  return { TAKEN }
end
return { DONE }
