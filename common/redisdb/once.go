package redisdb

import (
	"context"
	"embed"
	"fmt"
	"strings"
	"time"

	"checkout/common/api"
	"checkout/common/once"
	"checkout/common/shard"
)

//go:embed lua/*.lua
var files embed.FS

var (
	onceScript     = MustScript(files, "once")
	claimKeyScript = MustScript(files, "claim_key")
)

// rememberFor is how long the answer to a request with an idempotency key is known. It bounds the memory that keys take: some
// 200 bytes each, for as long.
const rememberFor = 24 * time.Hour

// How a script under once has ended, as its header documents it.
const (
	onceDiffers = iota
	onceDone
	onceReplayed
)

// Once returns the script that does the work of this one once for an idempotency key: both in one, so that the work and its
// record are written together or not at all.
func (s *Script) Once() *Script {
	s.makeOnce.Do(func() {
		s.once = newScript(s.name+" once", "#!lua\nlocal function work()\n"+withoutFlags(s.source)+"end\n"+withoutFlags(onceScript.source))
	})
	return s.once
}

// withoutFlags leaves out the first line of a script, its shebang. So a script that is allowed when memory is full is not
// allowed together with a record, which needs more of it.
func withoutFlags(source string) string {
	_, rest, _ := strings.Cut(source, "\n")
	return rest
}

// RunOnce runs a script of at for a request. With a key, the script is run once for all requests with this key, and only if
// they are the same; each has the answer of the first. The record lies with what the script changes. Another record, where the
// key itself belongs, tells requests apart that are about things on other shards. Without a key it is Run, and nothing else.
func (db *DB) RunOnce(ctx context.Context, key *once.Key, at *Shard, script *Script, keys []string, args ...any) (Reply, error) {
	if key == nil {
		return at.Run(ctx, script, keys, args...)
	}
	home, err := db.home(key)
	if err != nil {
		return Reply{}, err
	}
	if home != at {
		if _, err := home.runOnce(ctx, &once.Key{Name: key.Name, Fingerprint: key.Fingerprint}, claimKeyScript, nil); err != nil {
			return Reply{}, err
		}
	}
	return at.runOnce(ctx, key, script, keys, args...)
}

func (s *Shard) runOnce(ctx context.Context, key *once.Key, script *Script, keys []string, args ...any) (Reply, error) {
	keys = append(keys[:len(keys):len(keys)], s.Key("k:"+key.Name))
	args = append(args[:len(args):len(args)], key.Fingerprint, key.Created, int64(rememberFor/time.Second))
	reply, err := s.Run(ctx, script.Once(), keys, args...)
	if err != nil {
		return Reply{}, err
	}
	switch how := reply.Int(0); {
	case reply.Err() != nil:
		return Reply{}, reply.Err()
	case how == onceDiffers:
		return Reply{}, fmt.Errorf("%s %q: %w", once.Header, key.Name, api.KeyReused)
	case how == onceDone || how == onceReplayed:
		key.Replayed, key.Created = how == onceReplayed, reply.String(2)
		return Reply{values: reply.values[1:]}, reply.Err()
	default:
		return Reply{}, fmt.Errorf("script %s returned %d, which it does not document", script.Once().name, how)
	}
}

// home is the shard of a key: the same for every machine, and for most keys after the shards have grown as well.
func (db *DB) home(key *once.Key) (*Shard, error) {
	i := shard.OfKey(key.Name, int(db.growth.open.Load()))
	if i < 0 || i >= len(db.shards) {
		return nil, fmt.Errorf("the shard of a key is not known to this machine: %w", api.Unavailable)
	}
	return db.shards[i], nil
}

// MintFor is Mint for a request: with a key, on the key's shard, so that a request that is sent again finds what it has made.
func (m *Minter) MintFor(key *once.Key) (string, *Shard, error) {
	if key == nil {
		return m.Mint()
	}
	at, err := m.db.home(key)
	if err != nil {
		return "", nil, err
	}
	key.Created = shard.Mint(at.Index)
	return key.Created, at, nil
}
