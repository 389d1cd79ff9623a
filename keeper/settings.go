package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	commonredis "checkout/common/redis"
)

// settings lists the settings that the keeper requires of its Redis. The services require RequiredSettings, too.
// Without the settings below, the rule is not safe, or a Redis cannot be elected although it has the data.
var settings = append(slices.Clone(commonredis.RequiredSettings), []commonredis.Setting{
	// Otherwise, a frozen Redis accepts writes.
	{Name: "replica-read-only", Want: "yes"},
	// Otherwise, a Redis drops its data or disables its append-only file before it has received the whole copy. If the
	// primary dies during the copy, the node cannot vote.
	{Name: "repl-diskless-load", Want: "disabled"},
	// Otherwise, the keeper cannot read the position of a Redis whose primary is dead.
	{Name: "replica-serve-stale-data", Want: "yes"},
	// Otherwise, a new primary without replicas cannot write its epoch.
	{Name: "min-replicas-to-write", Want: "0"},
}...)

func settingsCommand() []any {
	command := []any{"CONFIG", "GET"}
	for _, setting := range settings {
		command = append(command, setting.Name)
	}
	return command
}

// checkSettings returns an error if a setting of the Redis has a wrong value. While Redis loads a copy of all data, it
// disables its append-only file. This is no error, because the setting appendonly stays "yes".
func checkSettings(reply *redis.Cmd) error {
	list, err := reply.StringSlice()
	if err != nil {
		return fmt.Errorf("CONFIG GET: %w", err)
	}
	found := map[string]string{}
	for i := 0; i+1 < len(list); i += 2 {
		found[list[i]] = list[i+1]
	}
	for _, setting := range settings {
		if value := found[setting.Name]; value != setting.Want {
			return fmt.Errorf("the setting %s of the Redis is %q, want %s", setting.Name, value, setting.Want)
		}
	}
	return nil
}

// checkNoSync returns an error if the Redis has the command SYNC. A replica sends SYNC if PSYNC gets an unexpected
// reply, such as BUSY. After SYNC, the replica does not know its offset. So it sends no acknowledgements, and a later
// PSYNC may continue at a wrong offset, which executes commands twice.
func checkNoSync(reply *redis.Cmd) error {
	switch commands, err := reply.Slice(); {
	case err != nil:
		return fmt.Errorf("COMMAND INFO: %w", err)
	case len(commands) != 1 || commands[0] != nil:
		return errors.New(`the Redis has the command SYNC; start it with rename-command SYNC ""`)
	}
	return nil
}
