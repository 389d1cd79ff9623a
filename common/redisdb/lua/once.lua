#!lua
-- once: does what another script does, once for an idempotency key; who comes again is answered as the first was.
-- The other script stands before this one as the function work, and sees its own KEYS and ARGV first.
-- KEYS  its own, then the record of the key
-- ARGV  its own, then the request's fingerprint, what the request creates ('' if nothing), how long the record lives (s)
-- returns {how, code, created}: the code of the other script, and what was created
--   0 DIFFERS: the key came with another request; nothing is done   1 DONE   2 REPLAYED: done before; nothing is done now
-- May be repeated, whatever holds of the other script. The answer is remembered whether it is success or refusal, but for a
-- create that is refused: its id was taken, and it is tried again with another.
local record, n = KEYS[#KEYS], #ARGV
local fingerprint, created, seconds = ARGV[n - 2], ARGV[n - 1], ARGV[n]
local found = redis.call('HMGET', record, 'f', 'code', 'id')
if found[1] then
  if found[1] ~= fingerprint then
    return { 0 }
  end
  return { 2, tonumber(found[2]), found[3] or '' }
end
local code = work()[1]
if created == '' then
  redis.call('HSET', record, 'f', fingerprint, 'code', code)
elseif code == 1 then
  redis.call('HSET', record, 'f', fingerprint, 'code', code, 'id', created)
end
redis.call('EXPIRE', record, seconds)
return { 1, code, created }
