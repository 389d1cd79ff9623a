// Package idempotency runs a write only once for an idempotency key, even if a client sends the request several times.
//
// One script does the work and stores a record of the key, the request and the reply. So the work and the record are
// written together or not at all. See docs/adr/0013-idempotency-records-with-the-work.md.
package idempotency

import (
	"context"
	"embed"
	"fmt"
	"strings"
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
		protocol.Number("EXHAUSTED", exhausted),
	)
	onceScript     = redis.MustScript(files, "once", prelude)
	claimKeyScript = redis.MustScript(files, "claim_key", prelude)
)

// Keys of the records, without the shard's hash tag.
const (
	recordPrefix  = "k:"   // hash: the record of a client's key; the key's name follows the prefix
	gatewayPrefix = "g:"   // hash: the record of a request that the gateway may retry; the request's name follows
	countsKey     = "keys" // hash: number of clients' keys stored in each hour; the fields are hours since 1970
)

const (
	// keepFor is how long the record of a client's key is kept. A record takes about 200 bytes.
	keepFor = 24 * time.Hour
	// keepForGateway exceeds the time for which the gateway retries a request: the last try begins at most 16 s after
	// the request, and takes at most 15 s.
	keepForGateway = time.Minute
)

// Results of the script once.lua.
const (
	differs = iota
	done
	replayed
	exhausted
)

// scripts maps each script to its idempotent version.
var scripts sync.Map

// Script returns the idempotent version of a script. The idempotent version does the work only once for each key.
func Script(s *redis.Script) *redis.Script {
	if found, ok := scripts.Load(s); ok {
		return found.(*redis.Script)
	}
	// Keep the flags of the script. For example, if the script has the flag allow-oom, the idempotent version must also
	// run when memory is full.
	shebang, _, _ := strings.Cut(s.Source(), "\n")
	wrapped := redis.NewScript(s.Name()+" once", shebang+"\nlocal function work()\n"+s.Body()+"end\n"+onceScript.Body())
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
// the first reply. The error is api.KeyReused if the requests differ, and api.KeysExhausted if a shard stores too many
// keys. With a nil key, Run only runs the script.
//
// The shard of the data stores the record. A second record, on the key's home shard, detects a request with the same
// key for data on another shard. A key of the gateway needs no second record, because the gateway generates a new
// key for each request.
func Run(
	ctx context.Context, c *cluster.Cluster, key *Key, at *redis.Shard, script *redis.Script, keys []string, args ...any,
) (redis.Reply, error) {
	if key == nil {
		return at.Run(ctx, script, keys, args...)
	}
	if key.gateway {
		return runOnce(ctx, at, key, 0, script, keys, args...)
	}
	limit := c.KeyLimit()
	home, err := homeShard(c, key)
	if err != nil {
		return redis.Reply{}, err
	}
	if home != at {
		claim := &Key{Name: key.Name, Fingerprint: key.Fingerprint}
		if _, err := runOnce(ctx, home, claim, limit, claimKeyScript, nil); err != nil {
			return redis.Reply{}, err
		}
	}
	return runOnce(ctx, at, key, limit, script, keys, args...)
}

func runOnce(
	ctx context.Context, at *redis.Shard, key *Key, limit int, script *redis.Script, keys []string, args ...any,
) (redis.Reply, error) {
	prefix, keep := recordPrefix, keepFor
	if key.gateway {
		prefix, keep = gatewayPrefix, keepForGateway
	}
	keys = append(keys[:len(keys):len(keys)], at.Key(prefix+key.Name), at.Key(countsKey))
	args = append(args[:len(args):len(args)], key.Fingerprint, key.Created, int64(keep/time.Second), limit)
	reply, err := at.Run(ctx, Script(script), keys, args...)
	if err != nil {
		return redis.Reply{}, err
	}
	switch result := reply.Int(0); {
	case reply.Err() != nil:
		return redis.Reply{}, reply.Err()
	case result == differs:
		return redis.Reply{}, fmt.Errorf("%s %q: %w", Header, key.Name, api.KeyReused)
	case result == exhausted:
		return redis.Reply{}, fmt.Errorf("shard %d: %w", at.Index, api.KeysExhausted)
	case result == done || result == replayed:
		key.Replayed = result == replayed
		if key.Created != "" {
			key.Created = reply.String(2)
		}
		return reply.From(1), reply.Err()
	default:
		return redis.Reply{}, fmt.Errorf("run script %q: unexpected result %d", Script(script).Name(), result)
	}
}

// homeShard returns the home shard of a key. When shards are added, one of the new shards may become the home shard.
func homeShard(c *cluster.Cluster, key *Key) (*redis.Shard, error) {
	index := shard.OfKey(key.Name, c.ActiveShards())
	home, ok := c.Shard(index)
	if !ok {
		return nil, fmt.Errorf("find the home shard of %s %q: shard %d is unknown: %w",
			Header, key.Name, index, api.Unavailable)
	}
	return home, nil
}

// Mint returns a new ID and its shard for a request that creates something. With a key, Mint mints on the key's home
// shard, because a retry looks for the record of the first request there.
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
