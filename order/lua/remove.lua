#!lua flags=allow-oom
-- remove: an open order ceases to exist.
-- KEYS  1 order
-- returns {code}
--   0 NOT_FOUND   1 REMOVED   2 NOT_OPEN
-- A repeated call finds nothing.
local state = redis.call('HGET', KEYS[1], 's')
if not state then
  return { 0 }
elseif state ~= 'OPEN' then
  return { 2 }
end
redis.call('DEL', KEYS[1])
return { 1 }
