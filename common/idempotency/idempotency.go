// Package idempotency runs a write once for an idempotency key, however often a client sends the request.
//
// One script does the work and stores a record of the key, the request and the reply. So the work and the record are
// written together or not at all. See docs/adr/0013-idempotency-records-with-the-work.md.
package idempotency

import (
	"context"
	"embed"
	"fmt"
	"sync"
	"time"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/protocol"
	"checkout/common/redis"
	"checkout/common/shard"
)

//go:embed lua/*.lua
var files embed.FS

var (
	prelude = protocol.Prelude(
		protocol.Number("DIFFERS", differs), protocol.Number("DONE", done), protocol.Number("REPLAYED", replayed),
	)
	onceScript     = redis.MustScript(files, "once", prelude)
	claimKeyScript = redis.MustScript(files, "claim_key", prelude)
)

// recordPrefix starts the name of a key's record.
const recordPrefix = "k:"

// keepFor is how long the record of a key is kept. It bounds the memory for records, which take some 200 bytes each.
const keepFor = 24 * time.Hour

// Results of the script once.lua.
const (
	differs = iota
	done
	replayed
)

// scripts maps each script to its idempotent version.
var scripts sync.Map

// Script returns the idempotent version of a script. The idempotent version does the work once for each key.
func Script(s *redis.Script) *redis.Script {
	if found, ok := scripts.Load(s); ok {
		return found.(*redis.Script)
	}
	// The shebang line has no flags: with allow-oom, the script would write records even if memory is full.
	wrapped := redis.NewScript(s.Name()+" once", "#!lua\nlocal function work()\n"+s.Body()+"end\n"+onceScript.Body())
	found, _ := scripts.LoadOrStore(s, wrapped)
	return found.(*redis.Script)
}

// Scripts returns the idempotent versions of the given scripts and of claim_key.
func Scripts(writes ...*redis.Script) []*redis.Script {
	all := []*redis.Script{Script(claimKeyScript)}
	for _, s := range writes {
		all = append(all, Script(s))
	}
	return all
}

// Run runs a script on a shard. With a key, the script runs once for all requests with that key, and each request gets
// the first reply. The error is api.KeyReused if the requests differ. With a nil key, Run only runs the script.
//
// The record of the key is stored on the shard of the data. A second record on the key's home shard detects a request
// with the same key for data on another shard.
func Run(
	ctx context.Context, c *cluster.Cluster, key *Key, at *redis.Shard, script *redis.Script, keys []string, args ...any,
) (redis.Reply, error) {
	if key == nil {
		return at.Run(ctx, script, keys, args...)
	}
	home, err := homeShard(c, key)
	if err != nil {
		return redis.Reply{}, err
	}
	if home != at {
		claim := &Key{Name: key.Name, Fingerprint: key.Fingerprint}
		if _, err := runOnce(ctx, home, claim, claimKeyScript, nil); err != nil {
			return redis.Reply{}, err
		}
	}
	return runOnce(ctx, at, key, script, keys, args...)
}

func runOnce(
	ctx context.Context, at *redis.Shard, key *Key, script *redis.Script, keys []string, args ...any,
) (redis.Reply, error) {
	keys = append(keys[:len(keys):len(keys)], at.Key(recordPrefix+key.Name))
	args = append(args[:len(args):len(args)], key.Fingerprint, key.Created, int64(keepFor/time.Second))
	reply, err := at.Run(ctx, Script(script), keys, args...)
	if err != nil {
		return redis.Reply{}, err
	}
	switch result := reply.Int(0); {
	case reply.Err() != nil:
		return redis.Reply{}, reply.Err()
	case result == differs:
		return redis.Reply{}, fmt.Errorf("%s %q: %w", Header, key.Name, api.KeyReused)
	case result == done || result == replayed:
		key.Replayed, key.Created = result == replayed, reply.String(2)
		return reply.From(1), reply.Err()
	default:
		return redis.Reply{}, fmt.Errorf("run script %q: unexpected result %d", Script(script).Name(), result)
	}
}

// homeShard returns the home shard of a key. When shards are added, a key keeps its home shard or moves to a new
// shard.
func homeShard(c *cluster.Cluster, key *Key) (*redis.Shard, error) {
	index := shard.OfKey(key.Name, c.ActiveShards())
	home, ok := c.Shard(index)
	if !ok {
		return nil, fmt.Errorf("find the home shard of %s %q: shard %d is unknown: %w",
			Header, key.Name, index, api.Unavailable)
	}
	return home, nil
}

// Mint returns a new ID and its shard for a request that creates something. With a key, it mints on the key's home
// shard, so that a retry finds the record of the first request.
func Mint(c *cluster.Cluster, m *cluster.Minter, key *Key) (string, *redis.Shard, error) {
	if key == nil {
		return m.Mint()
	}
	at, err := homeShard(c, key)
	if err != nil {
		return "", nil, err
	}
	key.Created = shard.Mint(at.Index)
	return key.Created, at, nil
}
