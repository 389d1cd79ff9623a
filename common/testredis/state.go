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
// "field=value field=value", sorted, a string is itself; "@ms" at the end is when the key ends (Unix ms), where it does.
type State map[string]string

// Load makes a state of hashes and strings the server's, in place of all that it holds.
func (s *Server) Load(t testing.TB, state State) {
	t.Helper()
	ctx := context.Background()
	p := s.Client.Pipeline()
	p.FlushAll(ctx)
	for key, text := range state {
		text, until, ends := strings.Cut(text, "@")
		if !strings.Contains(text, "=") {
			p.Set(ctx, key, text, 0)
			text = ""
		}
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
	keys = slices.DeleteFunc(keys, func(key string) bool { return strings.HasSuffix(key, "}growth") }) // the cluster's own, written at any time
	kinds, ends := make([]*redis.StatusCmd, len(keys)), make([]*redis.Cmd, len(keys))
	s.together(t, func(p redis.Pipeliner) {
		for i, key := range keys {
			kinds[i], ends[i] = p.Type(ctx, key), p.Do(ctx, "PEXPIRETIME", key)
		}
	})
	hashes, sets, texts := map[string]*redis.MapStringStringCmd{}, map[string]*redis.ZSliceCmd{}, map[string]*redis.StringCmd{}
	s.together(t, func(p redis.Pipeliner) {
		for i, key := range keys {
			switch kinds[i].Val() {
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
			pairs = []string{kinds[i].Val()}
		}
		slices.Sort(pairs)
		state[key] = strings.Join(pairs, " ")
		if end, err := ends[i].Int64(); err != nil {
			t.Fatal(err)
		} else if end >= 0 {
			state[key] += "@" + strconv.FormatInt(end, 10)
		}
	}
	return state
}

func (s *Server) together(t testing.TB, queue func(redis.Pipeliner)) {
	t.Helper()
	if _, err := s.Client.Pipelined(context.Background(), func(p redis.Pipeliner) error {
		queue(p)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
