package redis_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/events"
	"checkout/common/redis"
	"checkout/common/testredis"
)

// eventuallyRuns waits until a script runs on the shard again.
func eventuallyRuns(t *testing.T, at *redis.Shard) {
	t.Helper()
	testredis.Eventually(t, "the shard runs scripts again", func() bool {
		_, err := at.Run(t.Context(), count, counter)
		return err == nil
	})
}

// Calls to a killed shard fail. Calls succeed again when the shard has restarted.
func TestKilledShardFailsAndRecovers(t *testing.T) {
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
			t.Errorf("got the states %v, want only shard 0 unhealthy", states)
		}
		for name, err := range calls(t, at) {
			if !errors.Is(err, api.Unavailable) {
				t.Fatalf("%s: got %v, want unavailable", name, err)
			}
		}
		servers[0].Restart(t)
		eventuallyRuns(t, at)
		wantOutage(t, c.Events(), at.Index)
	}
}

// wantOutage checks that the last two events report an outage of a shard and its duration. Because of rounding, the
// duration may be 1 ms shorter than the time between the events.
func wantOutage(t *testing.T, ring *events.Ring, index int) {
	t.Helper()
	var all []api.Event
	// A call may succeed before the return of the shard is recorded as an event.
	testredis.Eventually(t, "the last event is the return of the shard", func() bool {
		all = ring.After(0)
		return len(all) >= 2 && all[len(all)-1].Kind == events.ShardBack
	})
	down, back := all[len(all)-2], all[len(all)-1]
	if down.Kind != events.ShardUnavailable || down.Detail == "" || back.Kind != events.ShardBack ||
		*back.Shard != index || back.Service != "order" || back.DurationMS < back.At-down.At-1 {
		t.Errorf("the last events are %+v and %+v, want that shard %d was unavailable and is back", down, back, index)
	}
}

// Callers of an unresponsive shard get an error while the shard is unresponsive. Calls succeed again when the shard
// resumes, and the shard has run no script twice. TestUnresponsiveServerDelaysItsCallersOnce measures the delay.
func TestUnresponsiveShardFailsAndRecovers(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "order", 1, scripts)
	at := c.Shards()[0]
	if _, err := at.Run(t.Context(), count, counter); err != nil {
		t.Fatal(err)
	}
	servers[0].Pause()
	defer servers[0].Resume()
	const callers = 2000
	for range 3 {
		var working sync.WaitGroup
		for range callers {
			working.Go(func() {
				if _, err := at.Run(t.Context(), count, counter); !errors.Is(err, api.Unavailable) {
					t.Errorf("run on an unresponsive shard: got %v, want unavailable", err)
				}
			})
		}
		working.Wait()
		if at.Healthy() {
			t.Error("an unresponsive shard is healthy, want unhealthy")
		}
	}
	servers[0].Resume()
	eventuallyRuns(t, at)
	// One call before the pause and one after it have succeeded. Calls of the first round may have run too: they were
	// sent before the shard was unhealthy.
	if n := runs(t, servers[0]); n < 2 || n > 2+callers {
		t.Errorf("%d calls have run, want 2 to %d", n, 2+callers)
	}
}

// A shard that is busy for a moment stays healthy, and its callers wait. (TestBusyServerIsAwaited has the exact limit.)
func TestBusyShardStaysHealthy(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "order", 1, scripts)
	at := c.Shards()[0]
	for rounds := 0; rounds < 3; {
		testredis.Eventually(t, "the shard is healthy", at.Healthy)
		paused := time.Now()
		servers[0].Pause()
		results := make(chan error, 100)
		for range cap(results) {
			go func() {
				_, err := at.Run(t.Context(), count, counter)
				results <- err
			}()
		}
		time.Sleep(200 * time.Millisecond)
		servers[0].Resume()
		var failed error
		for range cap(results) {
			failed = errors.Join(failed, <-results)
		}
		if time.Since(paused) > 500*time.Millisecond { // a slow host made the pause too long: repeat the round
			continue
		}
		if rounds++; failed != nil || !at.Healthy() {
			t.Errorf("busy shard: got %v and healthy=%v, want success and a healthy shard", failed, at.Healthy())
		}
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
		t.Errorf("%d calls ran, %d were overloaded, %d had an unknown outcome; want at least 1 run and 1 overload",
			ran, overloaded, unknown)
	}
	if n := runs(t, servers[0]); n < 1+ran || n > 1+ran+unknown {
		t.Errorf("the script ran %d times, want %d (calls with a reply) and at most %d more (unknown outcome); "+
			"%d calls were overloaded", n, 1+ran, unknown, overloaded)
	}
}

// A shard that loads its data after a restart is unhealthy for a moment. Its callers may retry, because loading is
// not a refusal.
func TestLoadingShardDoesNotRefuse(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "order", 1, scripts)
	at := c.Shards()[0]
	for i := range 1000 {
		servers[0].Client.Set(t.Context(), fmt.Sprint(i), i, 0)
	}
	do(t, servers[0], "BGREWRITEAOF") // writes a file whose loading the test can slow down
	testredis.Eventually(t, "the file is rewritten", func() bool {
		info := servers[0].Client.InfoMap(t.Context(), "persistence").Item("Persistence", "aof_rewrite_in_progress")
		return info == "0"
	})
	for loading := 0; loading < 3; { // several rounds, because a health check may find the problem before the call does
		servers[0].Kill()
		var restarting sync.WaitGroup
		restarting.Go(func() {
			servers[0].Restart(t, "--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024")
		})
		testredis.Eventually(t, "the server loads its data", func() bool {
			err := servers[0].Client.Ping(t.Context()).Err()
			return err != nil && strings.HasPrefix(err.Error(), "LOADING")
		})
		_, err := at.Run(t.Context(), count, counter)
		if at.Problem() == redis.Loading {
			loading++
		}
		if errors.Is(err, redis.ErrRefused) || !errors.Is(err, api.Unavailable) {
			t.Errorf("run while loading: got %v, problem %q; want unavailable and not refused", err, at.Problem())
		}
		restarting.Wait()
		testredis.Eventually(t, "the shard is healthy", at.Healthy)
	}
}
