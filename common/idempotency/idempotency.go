// Package idempotency runs a write once for an idempotency key, however often a client sends the request.
//
// The script that does the work also stores the key, the request and the reply, so that both are written or neither.
// See docs/adr/0013-idempotency-records-with-the-work.md.
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

// keepFor is how long a reply is kept for replays. It bounds the memory of keys: some 200 bytes each.
const keepFor = 24 * time.Hour

// Results of the script once.
const (
	differs = iota
	done
	replayed
)

// scripts holds the idempotent version of every script, by script.
var scripts sync.Map

// Script returns the version of a script that does its work once for a key.
func Script(s *redis.Script) *redis.Script {
	if found, ok := scripts.Load(s); ok {
		return found.(*redis.Script)
	}
	// Without the flags of its first line: a script that may run when memory is full may not write a record then.
	wrapped := redis.NewScript(s.Name()+" once", "#!lua\nlocal function work()\n"+s.Body()+"end\n"+onceScript.Body())
	found, _ := scripts.LoadOrStore(s, wrapped)
	return found.(*redis.Script)
}

// Scripts returns the idempotent versions of a service's writes, and the script that claims a key on its home shard.
func Scripts(writes ...*redis.Script) []*redis.Script {
	all := []*redis.Script{Script(claimKeyScript)}
	for _, s := range writes {
		all = append(all, Script(s))
	}
	return all
}

// Run runs a script on a shard for a request. With a key, the script runs once for all requests with that key, which
// must be the same; each gets the reply of the first. The record is stored on the shard of the data. A second record,
// on the key's home shard, detects requests with the same key for data on other shards. Without a key, Run just runs
// the script.
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
		return redis.Reply{}, fmt.Errorf("script %s returned %d, which it does not document", Script(script).Name(), result)
	}
}

// homeShard returns the home shard of a key, the same on every instance. When shards are added, most keys keep theirs.
func homeShard(c *cluster.Cluster, key *Key) (*redis.Shard, error) {
	home, ok := c.Shard(shard.OfKey(key.Name, c.ActiveShards()))
	if !ok {
		return nil, fmt.Errorf("the shard of a key is unknown to this instance: %w", api.Unavailable)
	}
	return home, nil
}

// Mint returns a new ID and its shard for a request that creates something. With a key it mints on the key's home
// shard, so that a repeated request finds what the first has created.
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
