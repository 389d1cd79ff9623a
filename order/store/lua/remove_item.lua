#!lua
-- remove_item: removes pieces of an item from an open order, starting with the last price in the item's field.
-- KEYS  1 order
-- ARGV  1 item  2 quantity
-- returns {code[, state]}
--   0 NOT_FOUND   1 DONE   2 NOT_OPEN   3 NOT_IN_ORDER   4 TOO_FEW: the order has fewer pieces of the item
-- Must not be retried: each call removes pieces.
local field = 'i:' .. ARGV[1]
local f = redis.call('HMGET', KEYS[1], 's', 't', 'q', 'k', field)
if not f[1] then
  return { NOT_FOUND }
elseif f[1] ~= 'OPEN' then
  return { NOT_OPEN, f[1] }
elseif not f[5] then
  return { NOT_IN_ORDER }
end
local parts, have = {}, 0
for quantity, price in string.gmatch(f[5], '(%d+)@(%d+)') do
  parts[#parts + 1] = { tonumber(quantity), tonumber(price) }
  have = have + quantity
end
local quantity = tonumber(ARGV[2])
if have < quantity then
  return { TOO_FEW }
end
local left, worth = quantity, 0
while left > 0 do
  local last = parts[#parts]
  local gone = math.min(left, last[1])
  last[1], left, worth = last[1] - gone, left - gone, worth + gone * last[2]
  if last[1] == 0 then
    parts[#parts] = nil
  end
end
if #parts == 0 then
  redis.call('HDEL', KEYS[1], field)
else
  local kept = {}
  for i, part in ipairs(parts) do
    kept[i] = string.format('%.0f@%.0f', part[1], part[2])
  end
  redis.call('HSET', KEYS[1], field, table.concat(kept, ','))
end
redis.call('HSET', KEYS[1], 't', string.format('%.0f', f[2] - worth), 'q', string.format('%.0f', f[3] - quantity),
  'k', f[4] - (#parts == 0 and 1 or 0))
return { DONE }
