package redis

import (
	"errors"
	"strings"
)

// Reason is one word for why a shard does not serve every command. Metrics and responses contain this word.
type Reason string

// The reasons.
const (
	Unreachable Reason = "unreachable"      // no connection, or no reply in time
	Settings    Reason = "settings"         // with these settings, Redis may lose acknowledged writes
	Denied      Reason = "denied"           // the user or the password is wrong, or may not run a command
	Replica     Reason = "replica"          // Redis is a replica of another Redis
	Loading     Reason = "loading"          // Redis reads its data from disk
	Busy        Reason = "busy"             // Redis runs a script that takes too long
	MemoryFull  Reason = "memory-full"      // maxmemory is reached
	DiskError   Reason = "disk-error"       // Redis cannot write its files
	NoReplicas  Reason = "too-few-replicas" // min-replicas-to-write is not reached
	Clustered   Reason = "cluster"          // Redis Cluster keeps the key elsewhere
	Other       Reason = "other"

	// Why an instance refuses a Redis, see Identities.
	AnotherShard Reason = "another-shard"  // the Redis is a shard with another index, or of another service or system
	AnotherID    Reason = "another-redis"  // the Redis has the right index, but another Redis was used as this shard
	TooFewShards Reason = "too-few-shards" // more shards are active than the instance knows
	NoIdentity   Reason = "no-identity"    // the Redis has data without an identity
	Empty        Reason = "empty"          // the Redis has lost its data
	Older        Reason = "older"          // the Redis went back in time
	NotUsedYet   Reason = "new"            // the shard is new, and its identity is not complete
)

// refusals lists the error replies that concern more than one call, by their first words, and the level of a shard
// that returns them. All other error replies concern one call: a key with the wrong type, for example.
var refusals = []struct {
	prefix string
	reason Reason
	level  level
}{
	{"OOM ", MemoryFull, full},
	{"READONLY ", Replica, readOnly},
	{"MISCONF ", DiskError, readOnly},
	{"NOREPLICAS ", NoReplicas, readOnly},
	{"NOPERM ", Denied, readOnly},
	{"ERR ACL failure in script", Denied, readOnly},
	{"ERR The user executing the script can't ", Denied, readOnly},
	{"NOAUTH ", Denied, unavailable},
	{"WRONGPASS ", Denied, unavailable},
	{"DENIED ", Denied, unavailable}, // protected mode
	{"ERR max number of clients", Unreachable, unavailable},
	{"LOADING ", Loading, unavailable},
	{"MASTERDOWN ", Replica, unavailable},
	{"BUSY ", Busy, unavailable},
	{"CLUSTERDOWN ", Clustered, unavailable},
	{"MOVED ", Clustered, unavailable},
	{"ASK ", Clustered, unavailable},
	{"TRYAGAIN ", Clustered, unavailable},
	{"CROSSSLOT ", Clustered, unavailable},
}

// classify returns the reason and the level that an error reply implies for the whole shard. The level is available if
// the reply concerns only one call.
func classify(reply string) (Reason, level) {
	for _, r := range refusals {
		if strings.HasPrefix(reply, r.prefix) {
			return r.reason, r.level
		}
	}
	return Other, available
}

// reasonOf returns the reason of an error.
func reasonOf(err error) Reason {
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		return refusal.Reason
	}
	if _, ok := errors.AsType[settingsError](err); ok {
		return Settings
	}
	if errors.Is(err, errNew) || errors.Is(err, errIncomplete) || errors.Is(err, errInspecting) {
		return NotUsedYet
	}
	var reply errorReply
	if errors.As(err, &reply) {
		reason, _ := classify(string(reply))
		return reason
	}
	return Unreachable
}
