package cluster

import (
	"context"
	"log/slog"
	"time"

	"checkout/common/api"
)

// Identities returns the identities of the shards that this instance has used, for its peers. See api.ShardMap.
func (c *Cluster) Identities() []string { return c.identities.Current() }

// IdentityDigest returns a digest of Identities.
func (c *Cluster) IdentityDigest() string { return c.identities.Digest() }

// VerifyPeer returns an error if the identity of a peer's shard differs from the identity that this service has stored
// for that shard. First, VerifyPeer waits until this instance has read its own shards, or until ctx ends.
func (c *Cluster) VerifyPeer(ctx context.Context, m api.ShardMap) error {
	for !c.identities.Inspected() && ctx.Err() == nil {
		sleep(ctx, 5*time.Millisecond)
	}
	for i, reported := range m.Identities {
		if err := c.identities.VerifyPeer(m.Service, i, reported); err != nil {
			if unlogged, ok := c.refusedPeers.Allow(m.Service); ok {
				slog.ErrorContext(ctx, "a peer is refused", "peer", m.Service, "error", err, "unlogged", unlogged)
			}
			return err
		}
	}
	return nil
}
