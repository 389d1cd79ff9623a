package redis_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/redis"
	"checkout/common/testredis"
)

// eventuallyRuns waits until a script runs on a shard that was unhealthy. It waits at most a second.
func eventuallyRuns(t *testing.T, at *redis.Shard) {
	t.Helper()
	start := time.Now()
	testredis.Eventually(t, "the shard runs scripts again", func() bool {
		_, err := at.Run(t.Context(), count, counter)
		return err == nil
	})
	if took := time.Since(start); took > time.Second {
		t.Errorf("the shard runs scripts again after %v", took)
	}
}

// Calls to a dead shard fail fast. Calls succeed again as soon as the shard has restarted.
func TestDeadShardFailsFastAndRecovers(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "order", 2, scripts)
	at := c.Shards()[0]
	for range 2 {
		servers[0].Kill()
		testredis.Eventually(t, "the shard is unhealthy", func() bool {
			at.Run(t.Context(), count, counter) // a failure requests a health check
			return !at.Healthy()
		})
		if states := c.States(); states[0].Healthy || !states[1].Healthy {
			t.Errorf("states: %v", states)
		}
		start := time.Now()
		for range 1000 {
			for name, err := range calls(t, at) {
				if !errors.Is(err, api.Unavailable) {
					t.Fatalf("%s: %v", name, err)
				}
			}
		}
		if took := time.Since(start); took > 500*time.Millisecond {
			t.Errorf("3,000 calls of a dead shard took %v", took)
		}
		servers[0].Restart(t)
		eventuallyRuns(t, at)
	}
}

// An unresponsive shard delays its callers by at most a second, however many callers there are. Later callers are not
// delayed. Calls succeed again as soon as the shard resumes, and the shard has run no script twice.
func TestHangingShardDelaysCallersByAtMostASecond(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "order", 1, scripts)
	at := c.Shards()[0]
	if _, err := at.Run(t.Context(), count, counter); err != nil {
		t.Fatal(err)
	}
	servers[0].Pause()
	var working sync.WaitGroup
	defer working.Wait()
	defer servers[0].Resume()
	const callers, limit = 2000, 1200 * time.Millisecond // a second, and some slack for a busy host
	longestCall := func() time.Duration {
		took := make([]time.Duration, callers)
		for i := range callers {
			working.Go(func() {
				start := time.Now()
				if _, err := at.Run(t.Context(), count, counter); !errors.Is(err, api.Unavailable) {
					t.Errorf("run: %v", err)
				}
				took[i] = time.Since(start)
			})
		}
		working.Wait()
		return slices.Max(took)
	}
	if longest := longestCall(); longest > limit {
		t.Errorf("a call took %v", longest)
	}
	if at.Healthy() {
		t.Error("a shard that hangs is healthy")
	}
	for range 3 {
		if longest := longestCall(); longest > limit/4 {
			t.Errorf("a call of an unhealthy shard took %v", longest)
		}
		time.Sleep(500 * time.Millisecond)
	}
	servers[0].Resume()
	eventuallyRuns(t, at)
	// The first batch reached the server. Later calls were not sent.
	if n := runs(t, servers[0]); n < 2 || n > 2+callers {
		t.Errorf("%d calls have run", n)
	}
}

// A shard that is busy for a moment stays healthy, and its callers wait.
func TestBusyShardStaysHealthy(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "order", 1, scripts)
	at := c.Shards()[0]
	const callers = 100
	for range 3 {
		servers[0].Pause()
		var working sync.WaitGroup
		for range callers {
			working.Go(func() {
				if _, err := at.Run(t.Context(), count, counter); err != nil {
					t.Errorf("run: %v", err)
				}
			})
		}
		time.Sleep(400 * time.Millisecond)
		servers[0].Resume()
		working.Wait()
		if !at.Healthy() {
			t.Error("the shard is unhealthy")
		}
	}
	if n := runs(t, servers[0]); n != 3*callers {
		t.Errorf("%d runs for %d calls", n, 3*callers)
	}
}

func TestCallsBeyondTheQueueAreNotSent(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "order", 1, scripts)
	at := c.Shards()[0]
	if _, err := at.Run(t.Context(), count, counter); err != nil {
		t.Fatal(err)
	}
	var ran, overloaded, unknown int64
	// on a busy host, the shard may become unhealthy before its queue is full
	for tries := 0; overloaded == 0 && tries < 20; tries++ {
		testredis.Eventually(t, "the shard is healthy", at.Healthy)
		servers[0].Pause()
		calls := make([]*redis.Call, 20000)
		for i := range calls {
			calls[i] = at.Start(t.Context(), count, counter)
		}
		servers[0].Resume()
		for _, call := range calls {
			switch _, err := call.Wait(t.Context()); {
			case err == nil:
				ran++
			case errors.Is(err, api.Overloaded):
				overloaded++
			case errors.Is(err, api.Unavailable):
				unknown++
			default:
				t.Fatal(err)
			}
		}
	}
	if overloaded == 0 || ran == 0 {
		t.Errorf("%d calls ran, %d were overloaded, %d are unknown", ran, overloaded, unknown)
	}
	if n := runs(t, servers[0]); n < 1+ran || n > 1+ran+unknown {
		t.Errorf("%d runs: %d calls got a reply, %d are unknown, and none of %d overloaded ones may run",
			n, 1+ran, unknown, overloaded)
	}
}
