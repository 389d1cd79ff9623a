#!lua
-- add_item: pieces of an item join an open order at a price.
-- KEYS  1 order
-- ARGV  1 item  2 quantity  3 price  4 most items  5 most pieces  6 largest total
-- returns {code}
--   0 NOT_FOUND   1 ADDED   2 NOT_OPEN   3 FULL: too many items or pieces   4 LIMIT: too large a total
-- Not to be repeated: each call adds. The order holds q pieces of k items for t in all; an item's field is "quantity@price",
-- and "quantity@price,quantity@price" where its price has changed.
local field = 'i:' .. ARGV[1]
local f = redis.call('HMGET', KEYS[1], 's', 't', 'q', 'k', field)
if not f[1] then
  return { 0 }
elseif f[1] ~= 'OPEN' then
  return { 2 }
end
local quantity, price = tonumber(ARGV[2]), tonumber(ARGV[3])
local items = f[4] + (f[5] and 0 or 1)
if items > tonumber(ARGV[4]) or f[3] + quantity > tonumber(ARGV[5]) then
  return { 3 }
elseif f[2] + quantity * price > tonumber(ARGV[6]) then
  return { 4 }
end
local parts, found = f[5], 0
if parts then
  parts, found = string.gsub(parts, '(%d+)@' .. ARGV[3] .. '%f[^%d]', function(have)
    return string.format('%.0f@%s', have + quantity, ARGV[3])
  end)
end
if found == 0 then
  parts = (parts and parts .. ',' or '') .. ARGV[2] .. '@' .. ARGV[3]
end
redis.call('HSET', KEYS[1], field, parts, 't', string.format('%.0f', f[2] + quantity * price),
  'q', string.format('%.0f', f[3] + quantity), 'k', items)
return { 1 }
