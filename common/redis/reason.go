package redis

import (
	"errors"
	"fmt"
	"strings"
)

// Reason is a short code for the reason why a shard does not serve every command. It appears in metrics and responses.
type Reason string

// The reasons.
const (
	Unreachable Reason = "unreachable"      // no connection, or no reply in time
	Settings    Reason = "settings"         // with these settings, Redis may lose acknowledged writes
	Denied      Reason = "denied"           // wrong user or password, or the user may not run a command
	Replica     Reason = "replica"          // Redis is a replica of another Redis
	Loading     Reason = "loading"          // Redis reads its data from disk
	ManyClients Reason = "too-many-clients" // maxclients is reached
	Busy        Reason = "busy"             // Redis runs a script that takes too long
	MemoryFull  Reason = "memory-full"      // maxmemory is reached
	DiskError   Reason = "disk-error"       // Redis cannot write its files
	NoReplicas  Reason = "too-few-replicas" // min-replicas-to-write is not reached
	FewCopies   Reason = "too-few-copies"   // a replicated shard has no primary, or no replica confirms its writes
	Clustered   Reason = "cluster"          // wrong cluster layout (see Shard.layout), or the key is not served
	Other       Reason = "other"

	// Reasons why an instance does not use a Redis; see Identities.
	AnotherShard Reason = "another-shard"  // the Redis is a shard with another index, or of another service or system
	AnotherID    Reason = "another-redis"  // the Redis has the right index, but not the ID of this shard
	TooFewShards Reason = "too-few-shards" // REDIS_ADDRS lists fewer shards than are active
	NoIdentity   Reason = "no-identity"    // the Redis has data without an identity
	Empty        Reason = "empty"          // the Redis has lost its data
	Older        Reason = "older"          // the Redis is an older copy, or has lost acknowledged writes
	NotUsedYet   Reason = "new"            // the shard is new, and its identity is not complete
	Replicated   Reason = "replicated"     // REDIS_ADDRS lists only one node of a replicated shard
)

// refusals lists the prefixes of error replies that affect more than one call. After such a reply, the shard has the
// reason and the level in the same row. Any other error reply affects only one call, for example because a key has the
// wrong type.
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
	{"ERR max number of clients", ManyClients, unavailable},
	{"LOADING ", Loading, unavailable},
	{"MASTERDOWN ", Replica, unavailable},
	{"UNBLOCKED ", Replica, unavailable}, // the primary of a replicated shard became a replica
	{"BUSY ", Busy, unavailable},
	{"CLUSTERDOWN ", Clustered, unavailable},
	{"MOVED ", Clustered, unavailable},
	{"ASK ", Clustered, unavailable},
	{"TRYAGAIN ", Clustered, unavailable},
	{"CROSSSLOT ", Clustered, unavailable},
}

// classify returns the reason and the level that an error reply implies for the whole shard. If the reply affects only
// one call, the result is the level named available.
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
	if errors.Is(err, errFewCopies) || errors.Is(err, errNoPrimary) {
		return FewCopies
	}
	var reply errorReply
	if errors.As(err, &reply) {
		reason, _ := classify(string(reply))
		return reason
	}
	return Unreachable
}

// Refusal is the error of a refused Redis. Health checks still inspect a refused Redis, but the instance does not use
// its data.
type Refusal struct {
	Reason Reason
	text   string
}

// Error describes the problem of the Redis.
func (r *Refusal) Error() string { return r.text }

func refusal(reason Reason, format string, args ...any) error {
	return &Refusal{reason, fmt.Sprintf(format, args...)}
}

// refused reports whether an error is a Refusal.
func refused(err error) bool {
	_, ok := errors.AsType[*Refusal](err)
	return ok
}
