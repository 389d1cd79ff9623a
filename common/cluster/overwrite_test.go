package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/redis"
	"checkout/common/testredis"
)

const marker = "{o0}overwriting"

func TestOverwriteVisitsEachIDOnceOnItsShard(t *testing.T) {
	t.Parallel()
	for _, shards := range []int{1, 3} {
		c, servers := testredis.Open(t, "order", shards, scripts)
		for _, n := range []int{1, 2, 499, 500, 501, 1500, 1501, 7003} {
			seen, replies, started := make([]bool, n), 0, 0
			o := overwrite(t)
			o.Write = func(at *redis.Shard, _ string, numbers []int) *redis.Call {
				started++
				for _, number := range numbers {
					if seen[number] || number%shards != at.Index {
						t.Fatalf("ID %d of %d: seen before: %v; on shard %d of %d, want shard %d", number, n, seen[number], at.Index,
							shards, number%shards)
					}
					seen[number] = true
				}
				return at.Start(t.Context(), touch, []string{at.Key("k")})
			}
			o.Done = func(redis.Reply) error {
				replies++
				return nil
			}
			if err := c.Overwrite(t.Context(), n, o); err != nil || slices.Contains(seen, false) || replies != started {
				t.Errorf("write %d IDs to %d shards: got error %v, %d replies to %d calls; "+
					"want no error, a call for every ID and a reply to every call", n, shards, err, replies, started)
			}
		}
		for i, server := range servers {
			if _, found := server.Dump(t)[strings.Replace(marker, "0", string(rune('0'+i)), 1)]; found {
				t.Errorf("shard %d keeps the marker after batch_init, want none", i)
			}
		}
	}
}

// Overwrite stops at the first error and removes the markers. The error says how many IDs were written.
func TestOverwriteEndsWithTheFirstError(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "order", 2, scripts)
	bad, calls := errors.New("bad reply"), 0
	o := overwrite(t)
	o.Done = func(redis.Reply) error {
		if calls++; calls == 3 {
			return bad
		}
		return nil
	}
	err := c.Overwrite(t.Context(), 1_000_000, o)
	if !errors.Is(err, bad) || calls != 3 || !strings.Contains(err.Error(), "after 1000 of 1000000 IDs") {
		t.Errorf("Overwrite: got %v after %d replies, want the error of reply 3, after 1000 of 1000000 IDs",
			err, calls)
	}
	if err := writeDecimals(t, c, 10); err != nil {
		t.Errorf("the next batch_init: got %v, want success", err)
	}
	servers[1].Kill()
	eventuallyUnavailable(t, c, 1)
	if err := writeDecimals(t, c, 1_000_000); !errors.Is(err, api.Unavailable) {
		t.Errorf("batch_init with a shard down: got %v, want unavailable", err)
	}
	if n := servers[0].Client.Exists(t.Context(), marker).Val(); n != 0 {
		t.Error("the marker remains on shard 0, want no marker")
	}
}

// If the queue of a shard is full, the error is Overloaded before the first write or deletion, and Unavailable later.
func TestOverwriteWithAFullQueue(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "order", 2, scripts)
	o := overwrite(t)
	o.Check = func(context.Context, int) error { return fmt.Errorf("shard 1: %w", api.Overloaded) }
	if err := c.Overwrite(t.Context(), 2000, o); !errors.Is(err, api.Overloaded) {
		t.Errorf("queue full before any write: got %v, want overloaded", err)
	}
	o, calls := overwrite(t), 0
	write := o.Write
	o.Write = func(at *redis.Shard, batch string, numbers []int) *redis.Call {
		if calls++; calls == 4 { // this call is for shard 1
			servers[1].Pause()
			defer servers[1].Resume()
			for range 20_000 { // more than fit in the queue
				at.Start(t.Context(), touch, []string{at.Key("k")})
			}
		}
		return write(at, batch, numbers)
	}
	err := c.Overwrite(t.Context(), 4000, o)
	if !errors.Is(err, api.Unavailable) || errors.Is(err, api.Overloaded) {
		t.Errorf("queue full after some writes: got %v, want unavailable and not overloaded", err)
	}
}

// Only one batch_init runs at a time across all instances of a service. A batch_init continues when its client
// disconnects, and renews the markers while it runs.
func TestOneBatchInitRunsAtATime(t *testing.T) {
	t.Parallel()
	one, servers := testredis.Open(t, "order", 2, scripts)
	other := testredis.Connect(t, "order", servers, scripts)
	begun, end := make(chan struct{}), make(chan struct{})
	o := overwrite(t)
	o.Check = func(context.Context, int) error {
		close(begun)
		<-end
		return nil
	}
	ctx, disconnect := context.WithCancel(t.Context())
	var first sync.WaitGroup
	first.Go(func() {
		if err := one.Overwrite(ctx, 3, o); err != nil {
			t.Errorf("a batch_init whose client has disconnected: got %v, want success", err)
		}
	})
	<-begun
	disconnect()
	if err := writeDecimals(t, other, 3); !errors.Is(err, api.BatchRunning) {
		t.Errorf("a second batch_init: got %v, want the error that one is running", err)
	}
	// The second batch_init has waited for 5 s. A marker lasts 10 s, so without renewal at most 5 s are left.
	for i, server := range servers {
		left := server.Client.PTTL(t.Context(), strings.Replace(marker, "0", string(rune('0'+i)), 1)).Val()
		if left < 7*time.Second {
			t.Errorf("the marker on shard %d expires in %v, want at least 7s after its renewal", i, left)
		}
	}
	var second sync.WaitGroup
	second.Go(func() {
		if err := writeDecimals(t, other, 5); err != nil {
			t.Errorf("the batch_init that waited: got %v, want success", err)
		}
	})
	time.Sleep(200 * time.Millisecond)
	close(end)
	first.Wait()
	second.Wait()
	for _, key := range []string{"{o0}d:0", "{o0}d:4", "{o1}d:3"} {
		if n := servers[int(key[2]-'0')].Client.Exists(t.Context(), key).Val(); n != 1 {
			t.Errorf("after both batch_init calls, key %s does not exist", key)
		}
	}
}
