#!lua flags=no-writes
-- held: lists the attempts that hold counters with decimal IDs below a limit, and are undecided or not confirmed yet.
-- KEYS  1.. records of attempts
-- ARGV  1 limit
-- returns {record, counter, record, counter, ...}: one of the counters for each attempt
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
