#!lua flags=allow-oom
-- delete: deletes all given orders or none of them. batch_init calls it after shards were added.
-- KEYS  orders; last: the marker of the batch_init
-- ARGV  1 ID of the batch_init
-- returns {code}
--   0 UNDECIDED: an order is RUNNING, ABORTING or REFUNDING; nothing is changed   1 DONE
--   2 INTERRUPTED: the marker has expired; nothing is changed
-- Safe to retry. Allowed when memory is full, because the script frees memory.
local refusal = overwrite_refusal(ARGV[1])
if refusal then
  return { refusal }
end
redis.call('UNLINK', unpack(KEYS, 1, #KEYS - 1))
return { DONE }
