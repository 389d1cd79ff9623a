#!lua flags=allow-oom
-- commit: decides that this attempt has paid the order. Before the call, payment has reserved for this attempt. Stock
-- has reserved too, unless the order is empty.
-- KEYS  1 order  2 undecided  3 unconfirmed
-- ARGV  1 attempt  2 order ID  3 indexes of stock's shards, such as "0,2"; "" for an empty order  4 indexes of payment's shards
--       5 optional: durations until the reservations, for the history: see type Steps in order/store
-- returns {code, attempt, reason}
--   7 PAID with this attempt: this attempt has paid the order. The order may have been cancelled later.
--   Any other reply is the state of the order and its last attempt, and the call has changed nothing:
--   0 NOT_FOUND   5 ABORTING   6 OPEN   7 PAID   8 REFUNDING   9 CANCELLED   10 RUNNING
-- Safe to retry. Allowed when memory is full, because the later confirmation frees more memory than this script uses.
local f = redis.call('HMGET', KEYS[1], 's', 'a', 'r', 'dl', 'h')
local state, attempt = f[1], f[2]
if state == 'RUNNING' and attempt == ARGV[1] then
  local now = now_ms()
  redis.call('HSET', KEYS[1], 's', 'PAID', 'h', with_event(f[5], 'P' .. (ARGV[5] or ''), now, f[4]))
  redis.call('ZREM', KEYS[2], ARGV[2])
  redis.call('ZADD', KEYS[3], ms(now), attempt .. ' ' .. ms(f[4] + RETENTION_MS) .. ' ' .. ARGV[3] .. ' ' .. ARGV[4])
  return { PAID, attempt, '' }
end
if attempt == ARGV[1] and (state == 'REFUNDING' or state == 'CANCELLED') then
  return { PAID, attempt, '' }
end
return { code_of(state), attempt or '', f[3] or '' }
