package cluster_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/env"
	"checkout/common/redis"
	"checkout/common/shard"
	"checkout/common/testredis"
)

// touch writes its keys.
var touch = redis.NewScript("touch",
	"#!lua\nfor i = 1, #KEYS do redis.call('HINCRBY', KEYS[i], 'n', 1) end\nreturn #KEYS\n")

// fill writes the decimal IDs 0 to n-1, each under "d:".
func fill(t *testing.T, db *cluster.Cluster, n int) error {
	if err := db.Respread(t.Context(), n, "d:"); err != nil {
		return err
	}
	return db.EachDecimal(t.Context(), n, func(at *redis.Shard, numbers []int) *redis.Call {
		keys := make([]string, len(numbers))
		for i, number := range numbers {
			keys[i] = at.Key("d:" + shard.FormatDecimal(number))
		}
		return at.Start(t.Context(), touch, keys)
	}, func(redis.Reply) error { return nil })
}

// at returns the shard on which a machine looks for an ID.
func at(t *testing.T, db *cluster.Cluster, id string) int {
	t.Helper()
	s, err := db.Locate(id)
	if err != nil {
		t.Fatalf("locate %s: %v", id, err)
	}
	return s.Index
}

func TestLocate(t *testing.T) {
	t.Parallel()
	db, _ := testredis.Open(t, "order", 3, nil)
	for id, want := range map[string]int{"0": 0, "7": 1, "9999999": 0, shard.Mint(0): 0, shard.Mint(2): 2} {
		if got := at(t, db, id); got != want {
			t.Errorf("%s is on shard %d, want %d", id, got, want)
		}
	}
	for _, id := range []string{"", "x", "-1", "01", "10000000", shard.Mint(3), "{o0}7"} {
		if s, err := db.Locate(id); !errors.Is(err, cluster.ErrNoSuchID) {
			t.Errorf("%q is on %v, %v", id, s, err)
		}
		if s, err := db.LocateOrFirst(id); err != nil || s.Index != 0 {
			t.Errorf("%q or first is on %v, %v", id, s, err)
		}
	}
}

// Growth loses no minted ID, and decimal IDs stay where they are until they are written anew.
func TestGrowth(t *testing.T) {
	t.Parallel()
	two, servers := testredis.Open(t, "order", 2, []*redis.Script{touch})
	if err := fill(t, two, 2000); err != nil {
		t.Fatal(err)
	}
	minted := shard.Mint(1)
	servers[1].Client.HSet(t.Context(), "{o1}d:"+minted, "n", 1)
	servers = append(servers, testredis.Start(t))
	one := testredis.Connect(t, "order", servers, []*redis.Script{touch})
	other := testredis.Connect(t, "order", servers, []*redis.Script{touch})
	for _, db := range []*cluster.Cluster{one, other} {
		if got := at(t, db, "5"); got != 1 || db.Modulus() != 2 {
			t.Errorf("after growth and before a new batch, 5 is on shard %d, modulus %d", got, db.Modulus())
		}
	}
	// While one machine writes anew, none may look in an old place once there is a new one.
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			looksOld := other.Modulus() == 2 // before it is known whether there is a new one
			n, err := servers[2].Client.Exists(t.Context(), "{o2}d:5").Result()
			if looksOld && err == nil && n > 0 && other.Modulus() == 2 {
				t.Error("a machine looks in an old place, and there is a new one")
			}
			select {
			case <-done:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	})
	err := fill(t, one, 1000)
	close(done)
	watching.Wait()
	if err != nil {
		t.Fatal(err)
	}
	for _, db := range []*cluster.Cluster{one, other} {
		if got := at(t, db, "5"); got != 2 {
			t.Errorf("written anew, 5 is on shard %d", got)
		}
		if got := at(t, db, minted); got != 1 {
			t.Errorf("%s has moved to shard %d", minted, got)
		}
	}
	// All that was in the old places is gone, beyond the new IDs as well; what is not decimal has stayed.
	total := 0
	for i, s := range servers {
		keys, err := s.Client.Keys(t.Context(), "*").Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, number := range []int{0, 4, 5, 999, 1000, 1999} {
			has, want := slices.Contains(keys, fmt.Sprintf("{o%d}d:%d", i, number)), number < 1000 && number%3 == i
			if has != want {
				t.Errorf("shard %d has %d: %v, want %v", i, number, has, want)
			}
		}
		total += len(keys)
	}
	// the minted one, and the placement and the number of shards on each shard
	if want := 1000 + 1 + 3 + 3; total != want {
		t.Errorf("%d keys, want %d", total, want)
	}
	// A machine that was not told of the third shard must not guess.
	testredis.Eventually(t, "the machine of two shards knows that it does not know",
		func() bool { return two.Modulus() == 0 })
	if _, err := two.Locate("5"); !errors.Is(err, api.Unavailable) {
		t.Errorf("locate with too few shards: %v", err)
	}
	if err := fill(t, two, 10); err == nil {
		t.Error("a machine with too few shards has written")
	}
}

// What is known of the placement is known for a while only.
func TestPlacementIsForgotten(t *testing.T) {
	t.Parallel()
	db, servers := testredis.Open(t, "order", 2, []*redis.Script{touch})
	if err := fill(t, db, 10); err != nil {
		t.Fatal(err)
	}
	servers[1].Kill()
	testredis.Eventually(t, "the shard is known to be down", func() bool { return len(db.Unavailable()) == 1 })
	if err := fill(t, db, 10); !errors.Is(err, api.Unavailable) {
		t.Errorf("written anew with a shard away: %v", err)
	}
	// One shard is enough to know; none is not.
	for deadline := time.Now().Add(3500 * time.Millisecond); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if db.Modulus() != 2 {
			t.Fatal("forgotten, though a shard could tell")
		}
	}
	servers[0].Kill()
	testredis.Eventually(t, "it is forgotten", func() bool { return db.Modulus() == 0 })
	if _, err := db.Locate("5"); !errors.Is(err, api.Unavailable) {
		t.Errorf("locate: %v", err)
	}
	if _, err := db.LocateOrFirst("5"); !errors.Is(err, api.Unavailable) {
		t.Errorf("locate or first: %v", err)
	}
	if got := at(t, db, shard.Mint(1)); got != 1 {
		t.Errorf("a minted id is on shard %d", got)
	}
	servers[0].Restart(t)
	testredis.Eventually(t, "it is known again", func() bool { return db.Modulus() == 2 })
}

// Where no placement was ever written, that is known only once every shard has said so.
func TestPlacementOfASilentShard(t *testing.T) {
	t.Parallel()
	servers := []*testredis.Server{testredis.Start(t), testredis.Start(t)}
	db := testredis.Connect(t, "order", servers, []*redis.Script{touch})
	if err := fill(t, db, 10); err != nil {
		t.Fatal(err)
	}
	// The record is lost on one shard and the other one is silent: a new machine must not conclude that there is none.
	servers[1].Kill()
	if err := servers[0].Client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	third := testredis.Start(t)
	grown := connectWithout(t, append(servers, third))
	testredis.Eventually(t, "two shards answer", func() bool { return len(grown.Unavailable()) == 1 })
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if m := grown.Modulus(); m != 0 {
			t.Fatalf("modulus %d is a guess", m)
		}
	}
	servers[1].Restart(t)
	testredis.Eventually(t, "the shard that knows has told", func() bool { return grown.Modulus() == 2 })
}

func TestEachDecimal(t *testing.T) {
	t.Parallel()
	for _, shards := range []int{1, 3} {
		db, _ := testredis.Open(t, "order", shards, []*redis.Script{touch})
		for _, n := range []int{1, 2, 499, 500, 501, 1500, 1501, 7003} {
			seen, replies, started := make([]bool, n), 0, 0
			err := db.EachDecimal(t.Context(), n, func(at *redis.Shard, numbers []int) *redis.Call {
				started++
				for _, number := range numbers {
					if seen[number] || number%shards != at.Index {
						t.Fatalf("%d of %d: seen %v, on shard %d of %d", number, n, seen[number], at.Index, shards)
					}
					seen[number] = true
				}
				return at.Start(t.Context(), touch, []string{at.Key("k")})
			}, func(r redis.Reply) error {
				replies++
				return nil
			})
			if err != nil || slices.Contains(seen, false) || replies != started {
				t.Errorf("%d over %d: %v, %d replies of %d", n, shards, err, replies, started)
			}
		}
	}
}

func TestEachDecimalEndsWithTheFirstError(t *testing.T) {
	t.Parallel()
	db, servers := testredis.Open(t, "order", 2, []*redis.Script{touch})
	start := func(at *redis.Shard, _ []int) *redis.Call {
		return at.Start(t.Context(), touch, []string{at.Key("k")})
	}
	bad, calls := errors.New("bad reply"), 0
	err := db.EachDecimal(t.Context(), 1_000_000, start, func(redis.Reply) error {
		calls++
		return bad
	})
	if err != bad || calls != 1 {
		t.Errorf("%v after %d replies", err, calls)
	}
	servers[1].Kill()
	testredis.Eventually(t, "the shard is known to be down", func() bool { return len(db.Unavailable()) == 1 })
	if err := db.EachDecimal(t.Context(), 1_000_000, start, func(redis.Reply) error { return nil }); !errors.Is(err,
		api.Unavailable) {
		t.Errorf("with a shard away: %v", err)
	}
}

// A machine mints on its own shards, in turn, and on none that is down; on others only where all of its own are.
func TestMinter(t *testing.T) {
	t.Parallel()
	db, servers := testredis.Open(t, "order", 3, nil)
	mint := func(m *cluster.Minter) []int {
		var on []int
		for range 6 {
			id, s, err := m.Mint()
			if err != nil {
				t.Fatal(err)
			}
			if of, ok := shard.Of(id); !ok || of != s.Index {
				t.Fatalf("%s was minted for shard %d", id, s.Index)
			}
			on = append(on, s.Index)
		}
		slices.Sort(on)
		return on
	}
	alone, first := db.NewMinter(1, 1), db.NewMinter(1, 2)
	if on := mint(alone); !slices.Equal(on, []int{0, 0, 1, 1, 2, 2}) {
		t.Errorf("one machine mints on %v", on)
	}
	if on := mint(first); !slices.Equal(on, []int{0, 0, 0, 2, 2, 2}) {
		t.Errorf("the first of two machines mints on %v", on)
	}
	servers[2].Kill()
	testredis.Eventually(t, "the shard is known to be down", func() bool { return len(db.Unavailable()) == 1 })
	if on := mint(first); !slices.Equal(on, []int{0, 0, 0, 0, 0, 0}) {
		t.Errorf("with shard 2 away the first of two machines mints on %v", on)
	}
	if on := slices.Compact(mint(db.NewMinter(3, 3))); !slices.Equal(on, []int{0, 1}) {
		t.Errorf("a machine whose own shard is away mints on %v", on)
	}
	servers[0].Kill()
	servers[1].Kill()
	testredis.Eventually(t, "every shard is known to be down", func() bool { return len(db.Unavailable()) == 3 })
	if id, _, err := first.Mint(); !errors.Is(err, api.Unavailable) {
		t.Errorf("with every shard away it has minted %s, %v", id, err)
	}
}

// connectWithout opens servers of which some do not answer.
func connectWithout(t *testing.T, servers []*testredis.Server) *cluster.Cluster {
	t.Helper()
	var c env.Redis
	for _, s := range servers {
		c.Addrs = append(c.Addrs, s.Addr)
	}
	db := cluster.Open("order", c, []*redis.Script{touch})
	t.Cleanup(db.Close)
	return db
}
