#!lua
-- once: does the work of another script once for an idempotency key, and replays its reply to later requests.
-- The other script precedes this one as the function work. It sees its own KEYS and ARGV first.
-- KEYS  those of work, then the record of the key
-- ARGV  those of work, then the fingerprint of the request, the ID that it creates ("" if none), lifetime of the record in s
-- returns {result, code, created}: the code of work, and the ID that was created
--   0 DIFFERS: the key belongs to another request; nothing is done   1 DONE   2 REPLAYED: done earlier; nothing is done now
-- May be repeated, even if work may not. The record keeps success and refusal alike. One exception: a create that finds its ID
-- taken is not recorded, because the caller tries again with another ID.
local record, n = KEYS[#KEYS], #ARGV
local fingerprint, created, seconds = ARGV[n - 2], ARGV[n - 1], ARGV[n]
local found = redis.call('HMGET', record, 'f', 'code', 'id')
if found[1] then
  if found[1] ~= fingerprint then
    return { DIFFERS }
  end
  return { REPLAYED, tonumber(found[2]), found[3] or '' }
end
local code = work()[1]
if created == '' then
  redis.call('HSET', record, 'f', fingerprint, 'code', code)
elseif code == 1 then
  redis.call('HSET', record, 'f', fingerprint, 'code', code, 'id', created)
end
redis.call('EXPIRE', record, seconds)
return { DONE, code, created }
