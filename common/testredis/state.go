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

// State is all that a server holds, by key, in a form that is easy to write and to compare: a hash or a sorted set is
// "field=value field=value", sorted; "@ms" at the end is when the key ends (Unix ms), where it does.
type State map[string]string

// Load makes a state of hashes the server's, in place of all that it holds.
func (s *Server) Load(t testing.TB, state State) {
	t.Helper()
	ctx := context.Background()
	p := s.Client.Pipeline()
	p.FlushAll(ctx)
	for key, text := range state {
		text, until, ends := strings.Cut(text, "@")
		for _, pair := range strings.Fields(text) {
			i := strings.LastIndexByte(pair, '=')
			p.HSet(ctx, key, pair[:i], pair[i+1:])
		}
		if ends {
			ms, err := strconv.ParseInt(until, 10, 64)
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

// Dump returns all that the server holds.
func (s *Server) Dump(t testing.TB) State {
	t.Helper()
	ctx := context.Background()
	keys, err := s.Client.Keys(ctx, "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	state := State{}
	for _, key := range keys {
		text := s.text(t, key)
		until, err := s.Client.Do(ctx, "PEXPIRETIME", key).Int64()
		if err != nil {
			t.Fatal(err)
		}
		if until >= 0 {
			text += "@" + strconv.FormatInt(until, 10)
		}
		state[key] = text
	}
	return state
}

func (s *Server) text(t testing.TB, key string) string {
	ctx := context.Background()
	kind, err := s.Client.Type(ctx, key).Result()
	if err != nil {
		t.Fatal(err)
	}
	var pairs []string
	switch kind {
	case "hash":
		var fields map[string]string
		fields, err = s.Client.HGetAll(ctx, key).Result()
		for field, value := range fields {
			pairs = append(pairs, field+"="+value)
		}
	case "zset":
		var members []redis.Z
		members, err = s.Client.ZRangeWithScores(ctx, key, 0, -1).Result()
		for _, m := range members {
			pairs = append(pairs, m.Member.(string)+"="+strconv.FormatFloat(m.Score, 'f', -1, 64))
		}
	default:
		pairs = []string{kind}
	}
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(pairs)
	return strings.Join(pairs, " ")
}
