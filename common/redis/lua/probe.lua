#!lua
-- probe: reports which commands the user of this connection may not run. probe writes nothing. From this file,
-- package redis makes three scripts, each with other flags. If Redis rejects one of them, it would also reject other
-- scripts with the same flags.
-- KEYS  keys of the shard, or none
-- ARGV  1 a key of the shard  2… names of commands
-- returns {role, the commands that are denied}: role is "slave" for a replica, otherwise "master"
-- Safe to retry.
local denied = {}
local function may(command)
  if command == 'EVAL' then -- the keys of EVAL follow the script and the number of keys
    return redis.acl_check_cmd(command, '', '1', ARGV[1])
  end
  return redis.acl_check_cmd(command, ARGV[1])
end
for i = 2, #ARGV do
  if not may(ARGV[i]) then
    denied[#denied + 1] = ARGV[i]
  end
end
return { string.match(redis.call('INFO', 'replication'), 'role:(%a+)') or '', table.concat(denied, ' ') }
