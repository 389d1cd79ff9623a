#!lua
-- once: runs another script once for an idempotency key, and replays the first reply to later requests.
-- Package idempotency inserts the body of the other script before this code, as the function "work".
-- KEYS  the KEYS of work; then the record of the idempotency key
-- ARGV  the ARGV of work; then the fingerprint of the request; the ID that it creates, or ""; lifetime of the record in s
-- returns {result, code, created}: code is the result of work, created is the ID that the request has created
--   0 DIFFERS: the key belongs to another request, and work did not run   1 DONE: work did run now
--   2 REPLAYED: work did run for an earlier request
-- Safe to retry: a retry replays the recorded result and does not run work again. One result of work is not recorded: if the ID
-- for a create is taken, the caller retries with another ID.
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
