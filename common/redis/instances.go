package redis

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ClientName is the name of an instance's connections: "checkout:<service>:<incarnation>:<shards>". Every connection
// has this name from the start. So CLIENT LIST shows which instances run, and there is no need to store a list of
// them.
type ClientName struct {
	Service     string
	Incarnation string // unique to one process, such as a UUID
	Shards      int    // number of shards in the REDIS_ADDRS of the process
}

const clientPrefix = "checkout:"

func (n ClientName) String() string {
	return fmt.Sprintf("%s%s:%s:%d", clientPrefix, n.Service, n.Incarnation, n.Shards)
}

func parseClientName(text string) (n ClientName, ok bool) {
	text, ok = strings.CutPrefix(text, clientPrefix)
	parts := strings.Split(text, ":")
	if !ok || len(parts) != 3 {
		return ClientName{}, false
	}
	shards, err := strconv.Atoi(parts[2])
	return ClientName{Service: parts[0], Incarnation: parts[1], Shards: shards}, err == nil
}

// ConnectedInstance is an instance that has connections to a shard.
type ConnectedInstance struct {
	ClientName
	// Idle is the time since the last command of the instance, in whole seconds. A running instance sends a command every
	// second. So a long Idle means that the instance is paused or its host is dead; its connections may stay for minutes.
	Idle time.Duration
}

// Instances returns the instances of this service that have connections to the shard now, by incarnation. After the
// shard was unresponsive, a running instance may be missing for a second or two, until it has reconnected.
func (s *Shard) Instances(ctx context.Context) (map[string]ConnectedInstance, error) {
	reply, err := s.Do(ctx, "CLIENT", "LIST", "TYPE", "normal")
	if s.left(err) { // the server was not the primary
		reply, err = s.Do(ctx, "CLIENT", "LIST", "TYPE", "normal")
	}
	if err != nil {
		return nil, s.Failed(ctx, "CLIENT LIST", err)
	}
	instances := map[string]ConnectedInstance{}
	for line := range strings.SplitSeq(reply.String(0), "\n") {
		name, ok := parseClientName(clientField(line, "name"))
		if !ok || name.Service != s.name.Service || clientField(line, "db") != strconv.Itoa(s.db) {
			continue
		}
		seconds, err := strconv.Atoi(clientField(line, "idle"))
		if err != nil {
			return nil, fmt.Errorf("%w: CLIENT LIST: no number in the field idle: %q", errReply, line)
		}
		found := ConnectedInstance{ClientName: name, Idle: time.Duration(seconds) * time.Second}
		if other, ok := instances[name.Incarnation]; ok {
			found.Idle = min(found.Idle, other.Idle)
		}
		instances[name.Incarnation] = found
	}
	return instances, reply.Err()
}

// clientField returns the value of a field in a line of CLIENT LIST, such as "id=7 addr=127.0.0.1:50000 name=a db=0".
// It returns "" if the line lacks the field.
func clientField(line, field string) string {
	for pair := range strings.FieldsSeq(line) {
		if name, value, _ := strings.Cut(pair, "="); name == field {
			return value
		}
	}
	return ""
}
