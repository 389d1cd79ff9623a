#!lua
-- reserve: an attempt takes from the counters of this shard all that it needs of them, or nothing.
-- KEYS  1 the attempt's record; 2.. the hash of each counter, no two the same
-- ARGV  1 the attempt's deadline, ms; 2.. how much to take of each
-- returns {code[, reason, line]}
--   1 RESERVED   2 REFUSED: reason 1 too little, 2 no such counter; line is the index of the counter, from 0
--   3 RELEASED   4 EXPIRED: past the deadline and no record; nothing is written
-- May be repeated: a record is returned as it is. It is looked up before the balance, because the first call may have
-- emptied the shelf.
-- RESERVED has no TTL until it is confirmed, every other record ends 60 s after the deadline.
local code = redis.call('HGET', KEYS[1], 'code')
if code then
  local why = redis.call('HMGET', KEYS[1], 'reason', 'line')
  return { tonumber(code), tonumber(why[1] or 0), tonumber(why[2] or 0) }
end
local time = redis.call('TIME')
if time[1] * 1000 + math.floor(time[2] / 1000) > tonumber(ARGV[1]) then
  return { 4 }
end
for i = 2, #KEYS do
  local have = redis.call('HGET', KEYS[i], 'n')
  if not have or tonumber(have) < tonumber(ARGV[i]) then
    local reason = have and 1 or 2
    redis.call('HSET', KEYS[1], 'code', 2, 'reason', reason, 'line', i - 2)
    redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', ARGV[1] + 60000))
    return { 2, reason, i - 2 }
  end
end
local taken = { 'code', 1 }
for i = 2, #KEYS do
  if ARGV[i] ~= '0' then -- Redis does not take "-0" for a number
    redis.call('HINCRBY', KEYS[i], 'n', '-' .. ARGV[i])
  end
  taken[2 * i - 1], taken[2 * i] = KEYS[i], ARGV[i]
end
redis.call('HSET', KEYS[1], unpack(taken))
return { 1 }
