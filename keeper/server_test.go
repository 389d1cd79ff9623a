package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"checkout/common/env"
	"checkout/common/freeport"
	"checkout/keeper/rule"
)

// newRedisOnly starts a Redis without a keeper. The program is redis-server or valkey-server.
func newRedisOnly(t *testing.T, server string) (*node, *redisNode) {
	t.Helper()
	s := &shard{t: t}
	n := &node{dir: t.TempDir(), server: server, addr: freeport.Addr(t)}
	n.redisArgs = redisArgs(n)
	s.nodes[0] = n
	s.startRedis(0)
	r := newRedis(env.Keeper{Service: "order", Redis: env.Redis{Addrs: []string{n.addr}}})
	t.Cleanup(func() {
		r.close()
		stop(n.redis)
	})
	s.eventually("the Redis is frozen", func() bool {
		o, err := r.Freeze(t.Context())
		return err == nil && o.Frozen()
	})
	return n, r
}

// A primary with full memory can be frozen, because Freeze does not use MULTI. In MULTI, Redis 7 rejects every command
// while its memory is full.
func TestFreezeWithFullMemory(t *testing.T) {
	t.Parallel()
	n, r := newRedisOnly(t, "redis-server")
	client := n.admin()
	defer client.Close()
	promoteTo(t, r, 3)
	if err := client.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if err := client.Set(t.Context(), "x", 1, 0).Err(); !isReply(err, "OOM") {
		t.Fatalf("SET: got %v, want OOM", err)
	}
	for try := 0; ; try++ { // a slow machine can cause timeouts
		o, err := r.Freeze(t.Context())
		if err == nil && o.Frozen() && o.Position.Epoch == 3 {
			break
		}
		if isReply(err, "") || try == 10 {
			t.Fatalf("Freeze: got %+v, error %v; want a frozen Redis with epoch 3", o, err)
		}
	}
	promoteTo(t, r, 4) // a frozen Redis with full memory can be promoted
}

// promoteTo promotes a Redis in an epoch.
func promoteTo(t *testing.T, r *redisNode, epoch int64) {
	t.Helper()
	accept := func(rule.Observation) error { return nil }
	for o := (rule.Observation{}); !o.Master || o.Position != (rule.Position{Epoch: epoch}); {
		if err := r.Promote(t.Context(), epoch, accept); isReply(err, "") { // other errors may be timeouts
			t.Fatal(err)
		}
		o, _ = r.Observe(t.Context())
	}
}

func TestPromotionClosesConnections(t *testing.T) {
	t.Parallel()
	n, r := newRedisOnly(t, "valkey-server")
	client := n.client()
	defer client.Close()
	conn := client.Conn()
	defer conn.Close()
	if err := conn.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	promoteTo(t, r, 3)
	if err := conn.Ping(t.Context()).Err(); err == nil {
		t.Error("a connection has survived the promotion")
	}
}

// TestLateCommand checks a command that Redis runs late. The keeper stops waiting for the reply to the command and
// freezes the Redis. The late command must not undo the freeze.
func TestLateCommand(t *testing.T) {
	t.Parallel()
	n, r := newRedisOnly(t, "valkey-server")
	n.redis.Process.Signal(syscall.SIGSTOP)
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := r.Follow(short, "127.0.0.1:9"); err == nil {
		t.Error("Follow of a hung Redis: got no error, want a timeout")
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for r.Freeze(t.Context()); r.client == nil; { // after an error, there is no client: retry
			r.Freeze(t.Context())
		}
	}()
	time.Sleep(50 * time.Millisecond)
	n.redis.Process.Signal(syscall.SIGCONT)
	<-done
	for range 5 {
		time.Sleep(20 * time.Millisecond)
		if o, err := r.Observe(t.Context()); err == nil && !o.Frozen() {
			t.Errorf("after the freeze: got %+v, want a frozen Redis", o)
		}
	}
}

// The node whose vote arrives first attaches to the new primary first, unless its keeper is stopping, such as the
// keeper of the old primary after SIGTERM. Then the other voter attaches first.
func TestVoteOfStoppingNode(t *testing.T) {
	t.Parallel()
	c := env.Keeper{
		Service: "order", Keepers: [3]string{"a:1", "b:1", "c:1"}, Redis: env.Redis{Addrs: []string{"127.0.0.1:1"}},
		Tokens: []string{"0123456789abcdef"}, State: filepath.Join(t.TempDir(), "keeper.json"),
	}
	for i, delay := range []time.Duration{0, 50 * time.Millisecond} {
		c.Node = i
		voter, err := newKeeper(c, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		voter.stopping = delay == 0
		mux := http.NewServeMux()
		handle(voter, mux, "/vote", func(ctx context.Context, c rule.Candidate) (rule.Ballot, error) {
			time.Sleep(delay)
			b := voter.vote(ctx, c)
			b.Granted = true // without a Redis, this keeper grants no vote
			return b, nil
		})
		server := httptest.NewServer(mux)
		defer server.Close()
		c.Keepers[i] = server.Listener.Addr().String()
	}
	c.Node = 2
	k, err := newKeeper(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for try := range 10 { // on a slow machine, a vote may arrive too late
		granted, voter, _ := k.poll(t.Context(), "/vote", rule.Candidate{Node: 2, Epoch: 2})
		if granted && voter == 1 {
			break
		}
		if try == 9 {
			t.Errorf("got granted %v, and node %d attaches first; want granted true and node 1, which is not stopping",
				granted, voter)
		}
	}
}

// A keeper does not vote for a candidate that has the same Redis: together, the two have only one copy of the data.
func TestVoteForTheSameRedis(t *testing.T) {
	t.Parallel()
	s := newShard(t)
	c := rule.Candidate{Node: 1, Epoch: 2, RunID: s.status()[0].RunID}
	for _, path := range []string{"/prevote", "/vote"} {
		s.eventually(path+" is refused", func() bool {
			var b rule.Ballot
			err := post(t.Context(), statusClient, "127.0.0.1:"+s.nodes[0].port, path, "0123456789abcdef", "order-0", 1, c, &b)
			if b.Granted || b.Promised > 0 {
				t.Fatalf("%s: got %+v, want a refusal without a promise", path, b)
			}
			return err == nil && b.Reason == rule.ErrSameRedis.Error() // a slow machine can cause other errors
		})
	}
}

// TestStrangers checks which requests a keeper rejects.
func TestStrangers(t *testing.T) {
	t.Parallel()
	const token, newer = "0123456789abcdef", "fedcba9876543210"
	k := newIdleKeeper(t)
	k.config.Tokens = []string{token, newer}
	server := httptest.NewServer(k.handler())
	defer server.Close()
	keeper := server.Listener.Addr().String()
	for _, c := range []struct {
		name, path, token, shard string
		node                     int
		want                     string
	}{
		{"no token", "/vote", "", "order-0", 1, "KEEPER_TOKEN"},
		{"another token", "/init", token + "x", "order-0", 0, "KEEPER_TOKEN"},
		{"both tokens", "/init", token + "," + newer, "order-0", 0, "KEEPER_TOKEN"},
		{"another shard", "/beat", token, "stock-0", 1, "this is a keeper of order-0"},
		{"this node", "/beat", token, "order-0", 0, "the sender and this keeper are both node 0"},
		{"no node", "/beat", token, "order-0", 3, "not the index of a node"},
		{"not primary", "/handover", token, "order-0", 0, errNotPrimary.Error()},
		{"not primary, the second token", "/handover", newer, "order-0", 0, errNotPrimary.Error()},
	} {
		err := post(t.Context(), statusClient, keeper, c.path, c.token, c.shard, c.node, struct{}{}, &struct{}{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want one that contains %q", c.name, err, c.want)
		}
	}
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 503, "/status": 200, "/vote": 405, "/x": 404} {
		response, err := http.Get("http://" + keeper + path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("GET %s: got %d, want %d", path, response.StatusCode, want)
		}
	}
}
