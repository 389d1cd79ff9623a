package testredis

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// State is the content of a server, by key, in a form that is easy to write and compare:
//   - A string appears unchanged.
//   - A hash appears as "field=value field=value", sorted.
//   - A sorted set appears as "member=score member=score", sorted.
//   - Of any other key, only the type appears.
//
// The suffix "@<ms>" is the expiry of the key, in Unix milliseconds.
type State map[string]string

// Load replaces the data of the service, and keeps the shard's own keys (see ShardKey). It supports strings and hashes.
func (s *Server) Load(t testing.TB, state State) {
	t.Helper()
	ctx := context.Background()
	p := s.Client.Pipeline()
	for _, key := range s.keys(t) {
		p.Del(ctx, key)
	}
	for key, text := range state {
		text, expiry, expires := strings.Cut(text, "@")
		if !strings.Contains(text, "=") {
			p.Set(ctx, key, text, 0)
			text = ""
		}
		for _, pair := range strings.Fields(text) {
			i := strings.LastIndexByte(pair, '=')
			p.HSet(ctx, key, pair[:i], pair[i+1:])
		}
		if expires {
			ms, err := strconv.ParseInt(expiry, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			p.PExpireAt(ctx, key, time.UnixMilli(ms))
		}
	}
	if _, err := p.Exec(ctx); err != nil {
		t.Fatal(err)
	}
}

// keys returns all keys of the service's data. It omits the shard's own keys (see ShardKey), because an instance may
// write them at any time.
func (s *Server) keys(t testing.TB) []string {
	t.Helper()
	keys, err := s.Client.Keys(context.Background(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(keys, ShardKey)
}

// ShardKey reports whether a key belongs to the shard itself, and not to the data of its service. Such keys have the
// identity, the write sequence and the activation of shards.
func ShardKey(key string) bool {
	return key == "identity" || strings.HasSuffix(key, "}growth") || strings.HasSuffix(key, "}seq")
}

// Wipe deletes the data of the service, and keeps the keys that belong to the shard itself.
func (s *Server) Wipe(t testing.TB) { s.Load(t, nil) }

// Dump returns the data of the service.
func (s *Server) Dump(t testing.TB) State {
	t.Helper()
	ctx := context.Background()
	keys := s.keys(t)
	types, expiries := make([]*redis.StatusCmd, len(keys)), make([]*redis.Cmd, len(keys))
	s.pipeline(t, func(p redis.Pipeliner) {
		for i, key := range keys {
			types[i], expiries[i] = p.Type(ctx, key), p.Do(ctx, "PEXPIRETIME", key)
		}
	})
	hashes := map[string]*redis.MapStringStringCmd{}
	sets := map[string]*redis.ZSliceCmd{}
	texts := map[string]*redis.StringCmd{}
	s.pipeline(t, func(p redis.Pipeliner) {
		for i, key := range keys {
			switch types[i].Val() {
			case "hash":
				hashes[key] = p.HGetAll(ctx, key)
			case "zset":
				sets[key] = p.ZRangeWithScores(ctx, key, 0, -1)
			case "string":
				texts[key] = p.Get(ctx, key)
			}
		}
	})
	state := State{}
	for i, key := range keys {
		var pairs []string
		if hash := hashes[key]; hash != nil {
			for field, value := range hash.Val() {
				pairs = append(pairs, field+"="+value)
			}
		} else if set := sets[key]; set != nil {
			for _, m := range set.Val() {
				pairs = append(pairs, m.Member.(string)+"="+strconv.FormatFloat(m.Score, 'f', -1, 64))
			}
		} else if text := texts[key]; text != nil {
			pairs = []string{text.Val()}
		} else {
			pairs = []string{types[i].Val()}
		}
		slices.Sort(pairs)
		state[key] = strings.Join(pairs, " ")
		if expiry, err := expiries[i].Int64(); err != nil {
			t.Fatal(err)
		} else if expiry >= 0 {
			state[key] += "@" + strconv.FormatInt(expiry, 10)
		}
	}
	return state
}

func (s *Server) pipeline(t testing.TB, queue func(redis.Pipeliner)) {
	t.Helper()
	if _, err := s.Client.Pipelined(context.Background(), func(p redis.Pipeliner) error {
		queue(p)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
