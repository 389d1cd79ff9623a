#!lua flags=allow-oom
-- refuse: closes an attempt that payment has refused. The coordinator reserves at payment first, so no stock is reserved.
-- Only the coordinator that started the attempt calls this script. A coordinator that resumed the attempt calls the script
-- "abort" instead: see docs/protocol.md.
-- KEYS  1 order  2 undecided
-- ARGV  1 attempt  2 order ID  3 reason
-- returns {code, attempt, reason}
--   6 CLOSED with this attempt: the attempt is closed, and the order is OPEN
--   Any other reply is the state of the order and its last attempt, and the call has changed nothing:
--   0 NOT_FOUND   5 ABORTING   6 OPEN   7 PAID   8 REFUNDING   9 CANCELLED   10 RUNNING
-- Safe to retry: the second call changes nothing. Allowed when memory is full.
local f = redis.call('HMGET', KEYS[1], 's', 'a', 'r', 'h', 'dl')
if f[1] == 'RUNNING' and f[2] == ARGV[1] then
  local history = with_event(f[4], 'R' .. string.sub(ARGV[3], 1, 1), now_ms(), f[5])
  redis.call('HSET', KEYS[1], 's', 'OPEN', 'r', ARGV[3], 'h', history)
  redis.call('ZREM', KEYS[2], ARGV[2])
  return { CLOSED, f[2], ARGV[3] }
end
return { code_of(f[1]), f[2] or '', f[3] or '' }
