#!lua
-- reserve: an attempt takes from the counters of this shard all that it needs of them, or nothing.
-- KEYS  1 the attempt's record; 2.. the counters, no two the same
-- ARGV  1 the attempt's deadline, ms; 2.. how much to take of each
-- returns {code[, reason, line]}
--   1 RESERVED   2 REFUSED: reason 1 too little, 2 no such counter; line is the index of the counter, from 0
--   3 RELEASED   4 EXPIRED: past the deadline and no record; nothing is written
-- May be repeated: a record is returned as it is. It is looked up before the balance, because the first call may have
-- emptied the shelf.
-- A record is a text that begins with its code: "1 counter amount counter amount", "2 reason line", "3", or a refund's "5".
-- RESERVED has no TTL until it is confirmed, every other record ends 60 s after the deadline.
local have = redis.call('MGET', unpack(KEYS))
local record = have[1]
if record then
  local code, reason, line = string.match(record, '^(%d) ?(%d*) ?(%d*)')
  if code ~= '2' then
    return { tonumber(code), 0, 0 }
  end
  return { 2, tonumber(reason), tonumber(line) }
end
local time = redis.call('TIME')
if time[1] * 1000 + math.floor(time[2] / 1000) > tonumber(ARGV[1]) then
  return { 4 }
end
local n = #KEYS
-- What is left and the record are written by one command: it costs half of what one for each counter does.
local left, taken = {}, { '1' }
for i = 2, n do
  local has, want = have[i], ARGV[i]
  if not has or has - want < 0 then
    local reason = has and 1 or 2
    redis.call('SET', KEYS[1], '2 ' .. reason .. ' ' .. i - 2, 'PXAT', string.format('%.0f', ARGV[1] + 60000))
    return { 2, reason, i - 2 }
  end
  left[2 * i - 3], left[2 * i - 2] = KEYS[i], string.format('%d', has - want)
  taken[2 * i - 2], taken[2 * i - 1] = KEYS[i], want
end
left[2 * n - 1], left[2 * n] = KEYS[1], table.concat(taken, ' ')
redis.call('MSET', unpack(left))
return { 1 }
