package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"checkout/common/api"
	"checkout/common/redis"
)

// Identities returns the identities of the shards that this instance has used, for its peers. See api.ShardMap.
func (c *Cluster) Identities() []string { return c.identities.Current() }

// IdentityDigest returns a digest of Identities.
func (c *Cluster) IdentityDigest() string { return c.identities.Digest() }

// VerifyPeer returns an error if a shard of a peer is another Redis than this service knows, and no operator has
// adopted that Redis. First, VerifyPeer waits until this instance has inspected its own shards, or until ctx ends.
// These shards store the known identities. If the instance has not read these identities, VerifyPeer returns false and
// nil, and a later call may return an error.
func (c *Cluster) VerifyPeer(ctx context.Context, m api.ShardMap) (final bool, err error) {
	for !c.identities.Inspected() && ctx.Err() == nil {
		sleep(ctx, 5*time.Millisecond)
	}
	for i, reported := range m.Identities {
		if err := c.identities.VerifyPeer(m.Service, i, reported); err != nil {
			if unlogged, ok := c.refusedPeers.Allow(m.Service); ok {
				slog.ErrorContext(ctx, "a peer is refused", "peer", m.Service, "error", err, "unlogged", unlogged)
			}
			return true, err
		}
	}
	_, final = c.identities.KnownPeer(m.Service)
	return final, nil
}

// A new service and a service that has lost all its data look the same to an instance that starts: no shard has data.
// Only the services that call this service know the difference. So with each health check, a caller reports the shards
// that it knows. Before an instance gives an identity to an empty shard, the instance waits for such a report. If no
// caller runs, the wait is limited, because the service may be the first one that starts.

// unread stands for the list of known shards in the report of a caller that has not read the list yet.
const unread = "?"

// KnownShards returns the report that this instance sends to a peer, such as "checkout order 0=<ID> 1=<ID>". The report
// contains the system, the name of this service, and each shard of the peer that this service knows.
func (c *Cluster) KnownShards(service string) string {
	words := []string{c.system, c.name.Service}
	known, ok := c.identities.KnownPeer(service)
	if !ok {
		return strings.Join(append(words, unread), " ")
	}
	for index, id := range known {
		words = append(words, fmt.Sprint(index, "=", id))
	}
	return strings.Join(words, " ")
}

// callers tracks the reports of the services that call this service.
type callers struct {
	mu       sync.Mutex
	reported bool      // a caller has reported which shards it knows
	until    time.Time // when the instance stops waiting for a report; zero before the wait
}

// ReceiveReport handles a report of a caller (see KnownShards). It ignores the reports of other systems.
func (c *Cluster) ReceiveReport(report string) {
	words := strings.Fields(report)
	if len(words) < 2 || words[0] != c.system {
		return
	}
	for _, word := range words[2:] {
		index, id, _ := strings.Cut(word, "=")
		if i, err := strconv.Atoi(index); err == nil {
			c.identities.Report(i, words[1], id)
		}
	}
	c.callers.mu.Lock()
	defer c.callers.mu.Unlock()
	if len(words) == 3 && words[2] == unread {
		if !c.callers.until.IsZero() {
			c.callers.until = time.Now().Add(c.callerWait) // the caller runs, so wait until it can read its shards
		}
		return
	}
	c.callers.reported = true
}

// awaitsCallers reports whether an empty shard waits for the report of a caller.
func (c *Cluster) awaitsCallers() bool {
	if !slices.Contains(c.identities.States(), redis.New) {
		return false
	}
	c.callers.mu.Lock()
	defer c.callers.mu.Unlock()
	if c.callers.until.IsZero() {
		c.callers.until = time.Now().Add(c.callerWait)
	}
	return !c.callers.reported && time.Now().Before(c.callers.until)
}
