package cluster_test

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"checkout/common/cluster"
	"checkout/common/env"
	"checkout/common/redis"
	"checkout/common/testredis"
)

// If an instance does not use a Redis, it checks the Redis only ten times a second.
func TestUnusedRedisIsNotCheckedWithoutPause(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		spoil   []any
		problem string
	}{
		"refused":                    {[]any{"SET", "session:1", "x"}, "no identity; is it the right Redis?"},
		"identity cannot be written": {[]any{"ACL", "SETUSER", "default", "-eval"}, "no identity yet"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := testredis.Start(t)
			if err := server.Client.Do(t.Context(), row.spoil...).Err(); err != nil {
				t.Fatal(err)
			}
			wantRefused(t, openUnhealthy(t, server.Addr), 0, row.problem)
			before := connections(t, server)
			const during = 2 * time.Second
			time.Sleep(during)
			// Each check may open several connections to inspect the Redis, and one more to write an identity.
			const limit = 4 * int(during/redis.CheckUnhealthyEvery)
			if n := connections(t, server) - before; n > limit {
				t.Errorf("%d connections in %v, want at most %d", n, during, limit)
			}
		})
	}
}

// connections returns how many connections a server has accepted.
func connections(t *testing.T, s *testredis.Server) int {
	t.Helper()
	info, err := s.Client.InfoMap(t.Context(), "stats").Result()
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(info["Stats"]["total_connections_received"])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// If one shard does not reply, the first inspection of all shards never completes. Close returns nevertheless.
func TestCloseBeforeAllShardsAreInspected(t *testing.T) {
	t.Parallel()
	servers := []*testredis.Server{testredis.Start(t), testredis.Start(t)}
	servers[1].Pause()
	defer servers[1].Resume()
	c := cluster.Open("order", env.Redis{Addrs: addrs(servers...)}, nil)
	time.Sleep(200 * time.Millisecond)
	closed := make(chan struct{})
	go func() {
		c.Close()
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Fatal("Close has not returned after 10s")
	}
}

// A start with empty shards is normal, so the service logs no warning. The test is not parallel, because it replaces
// the default logger.
func TestFirstStartLogsNoWarning(t *testing.T) {
	servers := []*testredis.Server{testredis.Start(t), testredis.Start(t), testredis.Start(t)}
	var log logs
	previous := slog.Default()
	defer slog.SetDefault(previous)
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	c := cluster.Open("order", env.Redis{Addrs: addrs(servers...)}, scripts)
	for i := range servers {
		wantUsed(t, c, i)
	}
	c.Close()
	if all := c.Events().After(0); len(all) > 0 {
		t.Errorf("got the events %+v, want none", all)
	}
	if text := log.String(); strings.Contains(text, "WARN") || !strings.Contains(text, "shard is not used yet") {
		t.Errorf("logged:\n%s\nwant \"shard is not used yet\" and no warning", text)
	}
}

// If decimal IDs are on more shards than an instance knows, the instance logs this fact once. The test is not parallel,
// because it replaces the default logger.
func TestTooFewShardsForDecimalsIsLogged(t *testing.T) {
	var log logs
	previous := slog.Default()
	defer slog.SetDefault(previous)
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	c, servers := testredis.Open(t, "order", 2, nil)
	defer c.Close()
	for _, shards := range []int{3, 4} {
		at := time.Now().Add(time.Hour).UnixMilli()
		if err := servers[1].Client.HSet(t.Context(), "{o1}batch", "m", shards, "n", 10, "at", at).Err(); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("decimal IDs are on %d shards, but REDIS_ADDRS has only 2", shards)
		testredis.Eventually(t, "the error is logged", func() bool { return strings.Contains(log.String(), want) })
		time.Sleep(5 * redis.CheckUnhealthyEvery)
		if n := strings.Count(log.String(), want); n != 1 {
			t.Errorf("got the line %[2]q %[1]d times, want once", n, want)
		}
	}
}

// logs is a buffer that several goroutines may write to.
type logs struct {
	mu sync.Mutex
	strings.Builder
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Builder.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Builder.String()
}
