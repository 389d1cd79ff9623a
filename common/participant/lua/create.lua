#!lua
-- create: creates a counter of 0 and its attributes.
-- KEYS  1 counter; 2.. attributes
-- ARGV  1 number of attributes; 2.. their values. once adds its own KEYS and ARGV behind them.
-- returns {code}
--   1 DONE   4 TAKEN: one of the keys exists; nothing is changed
-- Must not be repeated: the second call finds the counter of the first.
local values = { KEYS[1], 0 }
for i = 2, 1 + ARGV[1] do
  values[2 * i - 1], values[2 * i] = KEYS[i], ARGV[i]
end
if redis.call('MSETNX', unpack(values)) == 0 then
  return { TAKEN }
end
return { DONE }
