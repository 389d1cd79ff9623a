#!lua
-- add_item: adds pieces of an item to an open order at a price.
-- KEYS  1 order
-- ARGV  1 item  2 quantity  3 price  4 largest number of items  5 largest number of pieces  6 largest total
-- returns {code[, state]}
--   0 NOT_FOUND   1 DONE   2 NOT_OPEN   3 FULL: too many items or pieces   4 LIMIT: the total is too large
-- Must not be retried: each call adds pieces. Field q is the number of pieces, k the number of items, and t the
-- total. The field of an item is "quantity@price", or "quantity@price,quantity@price" if its price has changed.
local field = 'i:' .. ARGV[1]
local f = redis.call('HMGET', KEYS[1], 's', 't', 'q', 'k', field)
if not f[1] then
  return { NOT_FOUND }
elseif f[1] ~= 'OPEN' then
  return { NOT_OPEN, f[1] }
end
local quantity, price = tonumber(ARGV[2]), tonumber(ARGV[3])
local items = f[4] + (f[5] and 0 or 1)
if items > tonumber(ARGV[4]) or f[3] + quantity > tonumber(ARGV[5]) then
  return { FULL }
elseif f[2] + quantity * price > tonumber(ARGV[6]) then
  return { LIMIT }
end
local parts, found = f[5], 0
if parts then -- %f[^%d] matches the end of the price, so that 2@5 does not match a part of 2@50
  parts, found = string.gsub(parts, '(%d+)@' .. ARGV[3] .. '%f[^%d]', function(have)
    return string.format('%.0f@%s', have + quantity, ARGV[3])
  end)
end
if found == 0 then
  parts = (parts and parts .. ',' or '') .. ARGV[2] .. '@' .. ARGV[3]
end
redis.call('HSET', KEYS[1], field, parts, 't', string.format('%.0f', f[2] + quantity * price),
  'q', string.format('%.0f', f[3] + quantity), 'k', items)
return { DONE }
