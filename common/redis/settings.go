package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Setting is a setting of Redis with its required value.
type Setting struct{ Name, Want string }

// RequiredSettings lists the settings that prevent Redis from losing acknowledged writes.
var RequiredSettings = []Setting{
	{"appendonly", "yes"},
	{"appendfsync", "always"},
	{"no-appendfsync-on-rewrite", "no"},
	{"maxmemory-policy", "noeviction"},
}

// settingsError is the error for settings that are wrong, or that CONFIG GET does not return.
type settingsError struct{ error }

func settingsCommand() []any {
	command := []any{"CONFIG", "GET"}
	for _, setting := range RequiredSettings {
		command = append(command, setting.Name)
	}
	return command
}

// verifySettings checks the settings of the shard, unless REDIS_DURABLE is "unchecked" or "engine".
func (s *Shard) verifySettings(ctx context.Context) error {
	if s.unchecked {
		return nil
	}
	return checkSettings(s.Do(ctx, settingsCommand()...))
}

// checkSettings checks the reply to settingsCommand. If Redis rejects the command, the error is a settingsError. But
// if an error reply such as LOADING means that the shard is unavailable, the error is this reply.
func checkSettings(reply Reply, err error) error {
	var rejected errorReply
	if errors.As(err, &rejected) {
		if _, serves := classify(string(rejected)); serves > unavailable {
			return settingsError{fmt.Errorf("cannot verify the settings: CONFIG GET: %w; see REDIS_DURABLE", err)}
		}
	}
	if err != nil {
		return err
	}
	found := map[string]string{}
	for i := 0; i+1 < reply.Len(); i += 2 {
		found[reply.String(i)] = reply.String(i + 1)
	}
	if reply.Err() != nil {
		return reply.Err()
	}
	var wrong []string
	for _, setting := range RequiredSettings {
		switch value, ok := found[setting.Name]; {
		case !ok:
			wrong = append(wrong, fmt.Sprintf("cannot verify %s: CONFIG GET does not list it; see REDIS_DURABLE", setting.Name))
		case value != setting.Want:
			wrong = append(wrong, fmt.Sprintf("%s is %q, want %q", setting.Name, value, setting.Want))
		}
	}
	if len(wrong) > 0 {
		return settingsError{errors.New(strings.Join(wrong, ", "))}
	}
	return nil
}
