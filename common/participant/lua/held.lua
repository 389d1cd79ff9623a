#!lua flags=no-writes
-- held: lists the unconfirmed RESERVED records that contain a counter with a decimal ID below a limit.
-- KEYS  1.. records of attempts
-- ARGV  1 limit
-- returns {record, counter, record, counter, ...}: one such counter for each record
local held = {}
for i = 1, #KEYS do
  local record = redis.call('GET', KEYS[i]) or ''
  if string.find(record, '^' .. RESERVED .. ' ') and redis.call('PTTL', KEYS[i]) == -1 then
    for counter, id in string.gmatch(record, ' (%S+:(%d+)) %d+') do
      if tonumber(id) < tonumber(ARGV[1]) then
        held[#held + 1] = KEYS[i]
        held[#held + 1] = counter
        break
      end
    end
  end
end
return held
