#!lua
-- once: runs another script once for an idempotency key, and replays the first reply to later requests.
-- Package idempotency inserts the body of the other script before this code, as the function work(), and keeps the flags of that
-- script.
-- KEYS  the KEYS of work(); then the record of the idempotency key; the number of records by hour
-- ARGV  the ARGV of work(); then the fingerprint of the request; the ID that it creates, or ""; lifetime of the record in s;
--       largest number of records on the shard, or 0 if the gateway generated the key. With 0, there is no limit, and only
--       code 1 is recorded.
-- returns {result, code, created}, but only {result} for DIFFERS and EXHAUSTED. The code is the first value that work() has
-- returned. If the request creates something, created is the new ID. If not, created is the second value that work() has
-- returned, or "".
--   0 DIFFERS: the key belongs to another request, and work() did not run   1 DONE: this call ran work()
--   2 REPLAYED: an earlier request ran work()   3 EXHAUSTED: the shard has too many records, and work() did not run
-- Safe to retry: a retry returns the recorded values and does not run work() again. A negative code is not recorded,
-- because the caller tries again. If the request creates something, only code 1 is recorded: with another code, the ID
-- is taken, and the caller tries again with a new ID.
local record, counts, n = KEYS[#KEYS - 1], KEYS[#KEYS], #ARGV
local fingerprint, created, seconds, limit = ARGV[n - 3], ARGV[n - 2], ARGV[n - 1], tonumber(ARGV[n])
local found = redis.call('HMGET', record, 'f', 'code', 'id', 'detail')
if found[1] then
  if found[1] ~= fingerprint then
    return { DIFFERS }
  end
  return { REPLAYED, tonumber(found[2]), found[3] or found[4] or '' }
end
local hour, stored = math.floor(now_ms() / 3600000), 0
local hours = limit > 0 and redis.call('HGETALL', counts) or {}
for i = 1, #hours, 2 do
  if hours[i] + seconds / 3600 < hour then -- the records of this hour have expired
    redis.call('HDEL', counts, hours[i])
  else
    stored = stored + hours[i + 1]
  end
end
if limit > 0 and stored >= limit then
  return { EXHAUSTED }
end
local reply, field = work(), 'id'
local code, creates = reply[1], created ~= ''
if not creates then
  field, created = 'detail', reply[2] or ''
end
if code < 0 or code ~= 1 and (creates or limit == 0) then
  return { DONE, code, created }
end
redis.call('HSET', record, 'f', fingerprint, 'code', code)
if created ~= '' then
  redis.call('HSET', record, field, created)
end
redis.call('EXPIRE', record, seconds)
if limit > 0 then
  redis.call('HINCRBY', counts, hour, 1)
end
return { DONE, code, created }
