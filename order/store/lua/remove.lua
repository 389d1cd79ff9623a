#!lua flags=allow-oom
-- remove: deletes an open order.
-- KEYS  1 order
-- returns {code}
--   0 NOT_FOUND   1 DONE   2 NOT_OPEN
-- Must not be retried: the second call would return NOT_FOUND.
local state = redis.call('HGET', KEYS[1], 's')
if not state then
  return { NOT_FOUND }
elseif state ~= 'OPEN' then
  return { NOT_OPEN }
end
redis.call('DEL', KEYS[1])
return { DONE }
