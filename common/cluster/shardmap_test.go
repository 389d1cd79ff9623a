package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/redis"
	"checkout/common/shard"
	"checkout/common/testredis"
)

// touch is a script that writes its keys.
var touch = redis.NewScript("touch",
	"#!lua\nfor i = 1, #KEYS do redis.call('HINCRBY', KEYS[i], 'n', 1) end\nreturn #KEYS\n")

// drop is a script that deletes its keys.
var drop = redis.NewScript("drop", "#!lua\nreturn redis.call('DEL', unpack(KEYS))\n")

var scripts = []*redis.Script{touch, drop}

// overwrite returns a batch_init that writes hashes with the key prefix "d:".
func overwrite(t *testing.T) cluster.Overwrite {
	keys := func(at *redis.Shard, numbers []int) []string {
		keys := make([]string, len(numbers))
		for i, number := range numbers {
			keys[i] = at.Key("d:" + shard.FormatDecimal(number))
		}
		return keys
	}
	return cluster.Overwrite{
		Check: func(context.Context, int) error { return nil },
		Delete: func(at *redis.Shard, _ string, numbers []int) *redis.Call {
			return at.Start(t.Context(), drop, keys(at, numbers))
		},
		Write: func(at *redis.Shard, _ string, numbers []int) *redis.Call {
			return at.Start(t.Context(), touch, keys(at, numbers))
		},
		Done: func(redis.Reply) error { return nil },
	}
}

// writeDecimals writes the decimal IDs 0 to n-1, with the key prefix "d:".
func writeDecimals(t *testing.T, c *cluster.Cluster, n int) error {
	return c.Overwrite(t.Context(), n, overwrite(t))
}

// When a shard is added, minted IDs stay where they are. Decimal IDs move only with the next batch_init.
func TestDecimalsMoveToANewShardWithTheNextBatch(t *testing.T) {
	t.Parallel()
	two, servers := testredis.Open(t, "order", 2, scripts)
	if err := writeDecimals(t, two, 2000); err != nil {
		t.Fatal(err)
	}
	minted := shard.Mint(1)
	servers[1].Client.HSet(t.Context(), "{o1}d:"+minted, "n", 1)
	servers = append(servers, testredis.Start(t))
	writer := testredis.Connect(t, "order", servers, scripts)
	reader := testredis.Connect(t, "order", servers, scripts)
	for _, c := range []*cluster.Cluster{writer, reader} {
		if got := indexOf(t, c, "5"); got != 1 || c.Modulus() != 2 {
			t.Errorf("before the next batch_init, ID 5 is on shard %d, modulus %d; want shard 1, modulus 2", got, c.Modulus())
		}
	}
	writeWhileReading(t, writer, reader, servers[2])
	for _, c := range []*cluster.Cluster{writer, reader} {
		if got := indexOf(t, c, "5"); got != 2 {
			t.Errorf("after the next batch_init, ID 5 is on shard %d, want 2", got)
		}
		if got := indexOf(t, c, minted); got != 1 {
			t.Errorf("minted ID %s is on shard %d, want 1 as before", minted, got)
		}
	}
	checkSpread(t, servers)

	testredis.Eventually(t, "the map of the instance with two shards is unknown",
		func() bool { return two.Modulus() == 0 })
	if _, err := two.Locate("5"); !errors.Is(err, api.Unavailable) {
		t.Errorf("locate with too few shards: got %v, want unavailable", err)
	}
	if err := writeDecimals(t, two, 10); err == nil {
		t.Error("batch_init by an instance with too few shards: got no error, want one")
	}
}

// writeWhileReading writes the decimal IDs 0 to 999 over three shards. Meanwhile, it checks that the reader never uses
// the old modulus 2 (ID 5 is on shard 1) while ID 5 is already on the new shard 2.
func writeWhileReading(t *testing.T, writer, reader *cluster.Cluster, third *testredis.Server) {
	t.Helper()
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			// If the modulus is 2 before and after the request, it is also 2 during the request.
			old := reader.Modulus() == 2
			n, err := third.Client.Exists(t.Context(), "{o2}d:5").Result()
			if old && err == nil && n > 0 && reader.Modulus() == 2 {
				t.Error("an instance looks for ID 5 on the old shard while the ID exists on the new shard")
			}
			select {
			case <-done:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	})
	err := writeDecimals(t, writer, 1000)
	close(done)
	watching.Wait()
	if err != nil {
		t.Fatal(err)
	}
}

// Before the first batch_init, there is no shard map. The modulus of all instances is the number of active shards, 2,
// even if REDIS_ADDRS lists three. The first batch_init over three shards waits until no instance uses the modulus 2.
func TestFirstBatchDuringGrowth(t *testing.T) {
	t.Parallel()
	two, servers := testredis.Open(t, "order", 2, scripts)
	servers = append(servers, testredis.Start(t))
	three := testredis.Connect(t, "order", servers, scripts)
	if a, b := two.Modulus(), three.Modulus(); a != 2 || b != 2 {
		t.Errorf("without a map, the instances use the moduli %d and %d, want 2", a, b)
	}
	writeWhileReading(t, three, two, servers[2])
	if m := two.Modulus(); m != 0 {
		t.Errorf("the instance with two shards uses the modulus %d, want 0 for unknown", m)
	}
}

// The writer starts after the activation of the new shard. Its first batch_init must still wait, because the reader may
// still use the old number of active shards.
func TestFirstBatchAfterGrowth(t *testing.T) {
	t.Parallel()
	// The instance that Open starts knows only two shards, so the reader does not activate the third shard.
	_, servers := testredis.Open(t, "order", 2, scripts)
	servers = append(servers, testredis.Start(t))
	reader := testredis.Connect(t, "order", servers, scripts)
	if got := reader.ActiveShards(); got != 2 {
		t.Fatalf("got %d active shards, want 2", got)
	}
	for i, s := range servers {
		if err := s.Client.HSet(t.Context(), fmt.Sprintf("{o%d}growth", i), "announced", 3, "open", 3).Err(); err != nil {
			t.Fatal(err)
		}
	}
	writeWhileReading(t, testredis.Connect(t, "order", servers, scripts), reader, servers[2])
	testredis.Eventually(t, "the reader uses the new modulus", func() bool { return reader.Modulus() == 3 })
}

// A failed batch_init has written its map to only one shard. The next batch_init waits until no instance uses the old
// map.
func TestBatchAfterAPartialMap(t *testing.T) {
	t.Parallel()
	two, servers := testredis.Open(t, "order", 2, scripts)
	if err := writeDecimals(t, two, 10); err != nil {
		t.Fatal(err)
	}
	servers = append(servers, testredis.Start(t))
	writer := testredis.Connect(t, "order", servers, scripts)
	reader := testredis.Connect(t, "order", servers, scripts)
	at := time.Now().Add(time.Second).UnixMilli()
	if err := servers[0].Client.HSet(t.Context(), "{o0}batch", "m", 3, "n", 10, "at", at).Err(); err != nil {
		t.Fatal(err)
	}
	writeWhileReading(t, writer, reader, servers[2])
}

// checkSpread checks that the decimal IDs 0 to 999 are spread over three shards, and that no other decimal ID exists.
func checkSpread(t *testing.T, servers []*testredis.Server) {
	t.Helper()
	total := 0
	for i, s := range servers {
		keys, err := s.Client.Keys(t.Context(), "*").Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, number := range []int{0, 4, 5, 999, 1000, 1999} {
			has, want := slices.Contains(keys, fmt.Sprintf("{o%d}d:%d", i, number)), number < 1000 && number%3 == i
			if has != want {
				t.Errorf("shard %d has ID %d: got %v, want %v", i, number, has, want)
			}
		}
		total += len(keys)
	}
	// Besides the decimal IDs, there is one minted ID. Each shard also has four keys: the shard map, the activation, the
	// identity and the write sequence.
	if want := 1000 + 1 + 4*3; total != want {
		t.Errorf("got %d keys on all shards, want %d", total, want)
	}
}

// One healthy shard suffices to keep the shard map known. Without a healthy shard, the map becomes unknown.
func TestShardMapExpiresWithoutAHealthyShard(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "order", 2, scripts)
	if err := writeDecimals(t, c, 10); err != nil {
		t.Fatal(err)
	}
	servers[1].Kill()
	eventuallyUnavailable(t, c, 1)
	if err := writeDecimals(t, c, 10); !errors.Is(err, api.Unavailable) {
		t.Errorf("batch_init with a shard down: got %v, want unavailable", err)
	}
	for start := time.Now(); time.Since(start) < 3500*time.Millisecond; time.Sleep(50 * time.Millisecond) {
		if c.Modulus() != 2 {
			t.Fatal("the map is unknown, although one shard is healthy")
		}
	}
	servers[0].Kill()
	testredis.Eventually(t, "the map is unknown", func() bool { return c.Modulus() == 0 })
	if _, err := c.Locate("5"); !errors.Is(err, api.Unavailable) {
		t.Errorf("Locate without a shard map: got %v, want unavailable", err)
	}
	if _, err := c.LocateOrFirst("5"); !errors.Is(err, api.Unavailable) {
		t.Errorf("LocateOrFirst without a shard map: got %v, want unavailable", err)
	}
	if got := indexOf(t, c, shard.Mint(1)); got != 1 {
		t.Errorf("an ID minted on shard 1 is on shard %d, want 1", got)
	}
	servers[0].Restart(t)
	testredis.Eventually(t, "the map is known again", func() bool { return c.Modulus() == 2 })
}

// Until every shard has replied, an instance must not conclude that no shard map exists. In this test, one shard has
// lost the map, one shard still has the map but is down, and one shard is new.
func TestShardMapIsUnknownUntilEveryShardReplies(t *testing.T) {
	t.Parallel()
	servers := []*testredis.Server{testredis.Start(t), testredis.Start(t)}
	two := testredis.Connect(t, "order", servers, scripts)
	if err := writeDecimals(t, two, 10); err != nil {
		t.Fatal(err)
	}
	servers = append(servers, testredis.Start(t))
	testredis.Connect(t, "order", servers, scripts)
	servers[1].Kill()
	servers[0].Wipe(t)
	three := openUnhealthy(t, servers[0].Addr, servers[1].Addr, servers[2].Addr)
	testredis.Eventually(t, "two shards are healthy", func() bool { return len(three.Unavailable()) == 1 })
	for start := time.Now(); time.Since(start) < time.Second; time.Sleep(20 * time.Millisecond) {
		if m := three.Modulus(); m != 0 {
			t.Fatalf("got the modulus %d while shard 1 is down, want 0 for unknown", m)
		}
	}
	servers[1].Restart(t)
	testredis.Eventually(t, "the map is read from the last shard", func() bool { return three.Modulus() == 2 })
}
