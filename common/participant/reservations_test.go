package participant

import (
	"fmt"
	"slices"
	"testing"

	"checkout/common/api"
	"checkout/common/shard"
	"checkout/common/testredis"
)

// far is a deadline in the distant future: the year 2100, in Unix ms.
const far = 4102444800000

// put creates a counter on a shard and returns the ID of the counter.
func put(t *testing.T, servers []*testredis.Server, at int, n int64) string {
	t.Helper()
	id := shard.Mint(at)
	if err := servers[at].Client.Set(t.Context(), counterKey(at, id), n, 0).Err(); err != nil {
		t.Fatal(err)
	}
	return id
}

// confirmation returns a message that confirms a record on the given shards.
func confirmation(record string, shards ...int) api.Confirmation {
	return api.Confirmation{Record: record, Until: far, Shards: shards}
}

func counterKey(at int, id string) string { return fmt.Sprintf("{s%d}i:%s", at, id) }

func counter(t *testing.T, servers []*testredis.Server, id string) int64 {
	t.Helper()
	at, _ := shard.Of(id)
	n, err := servers[at].Client.Get(t.Context(), counterKey(at, id)).Int64()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func attempt(until int64, lines ...api.Line) api.Attempt {
	return api.Attempt{ID: shard.Mint(0), Until: until, Lines: lines}
}

// one is a helper that runs a step for a single attempt. It returns the outcome.
func one(t *testing.T, s *Reservations, step step, a api.Attempt) api.Outcome {
	t.Helper()
	return s.run(t.Context(), step, []api.Attempt{a})[0]
}

func TestAttemptSpansSeveralShards(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "stock", 3, Scripts)
	s := NewReservations(c, "i:")
	var ids [4]string
	var lines []api.Line
	for i, shard := range []int{0, 1, 0, 2} {
		ids[i] = put(t, servers, shard, 5)
		lines = append(lines, api.Line{ID: ids[i], Quantity: int64(i + 1)})
	}
	reserved := attempt(far, lines...)
	counters := func() (left [4]int64) {
		for i, id := range ids {
			left[i] = counter(t, servers, id)
		}
		return left
	}
	for range 2 {
		got := one(t, s, reserve, reserved)
		if got.Code != api.Reserved || !slices.Equal(got.Shards, []int{0, 1, 2}) {
			t.Fatalf("reserve: got %+v, want RESERVED on the shards 0, 1 and 2", got)
		}
		if got := counters(); got != [4]int64{4, 3, 2, 1} {
			t.Fatalf("after reserve: the counters are %v, want 4, 3, 2 and 1", got)
		}
	}
	refused := attempt(far,
		api.Line{ID: ids[0], Quantity: 1}, api.Line{ID: ids[3], Quantity: 2}, api.Line{ID: ids[1], Quantity: 1})
	for range 2 {
		if got := one(t, s, reserve, refused); got.Code != api.Refused || got.Reason != api.Insufficient || got.ID != ids[3] {
			t.Fatalf("reserve too much on the second line: got %+v, want REFUSED, Insufficient and its ID", got)
		}
	}
	if got := one(t, s, release, refused); got.Code != api.Released {
		t.Fatalf("release of the refused attempt: got %+v, want RELEASED", got)
	}
	if got := counters(); got != [4]int64{4, 3, 2, 1} {
		t.Fatalf("after the refusal and the release: the counters are %v, want 4, 3, 2 and 1", got)
	}
	for range 2 {
		if got := one(t, s, refund, reserved); got.Code != api.Refunded || !slices.Equal(got.Shards, []int{0, 1, 2}) {
			t.Fatalf("refund: got %+v, want REFUNDED on the shards 0, 1 and 2", got)
		}
		if got := counters(); got != [4]int64{5, 5, 5, 5} {
			t.Fatalf("after refund: the counters are %v, want 5 each", got)
		}
	}
}

// While the shard of a line is unknown, a step does nothing, and its outcome is UNKNOWN. A refund of only the
// other lines could leave a record on the shard of this line. A retry would find the record and skip this line.
func TestStepsWaitUntilEveryLineIsLocated(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "stock", 1, Scripts)
	s, redis := NewReservations(c, "i:"), servers[0].Client
	setMap := func(modulus, at int64) {
		t.Helper()
		if err := redis.HSet(t.Context(), "{s0}batch", "m", modulus, "n", 10, "at", at).Err(); err != nil {
			t.Fatal(err)
		}
	}
	know := func(known bool, at int64) {
		t.Helper()
		modulus := int64(1)
		if !known {
			modulus = 9 // instances reject a map with more shards than they know
		}
		setMap(modulus, at)
		testredis.Eventually(t, "the shard map is read", func() bool { return c.Modulus() > 0 == known })
	}
	minted := put(t, servers, 0, 5)
	if err := redis.Set(t.Context(), "{s0}i:4", 5, 0).Err(); err != nil {
		t.Fatal(err)
	}
	a := attempt(far, api.Line{ID: minted, Quantity: 2}, api.Line{ID: "4", Quantity: 1})
	at := int64(1)
	for _, c := range []struct {
		do            step
		done          api.Code
		minted, other string // counters after the step
	}{{reserve, api.Reserved, "3", "4"}, {refund, api.Refunded, "5", "5"}} {
		know(false, at)
		before := redis.MGet(t.Context(), counterKey(0, minted), "{s0}i:4").Val()
		if got := one(t, s, c.do, a); got.Code != api.Unknown || len(got.Shards) != 0 {
			t.Errorf("%s without a shard map: got %+v, want UNKNOWN without shards", c.do.script.Name(), got)
		}
		if got := redis.MGet(t.Context(), counterKey(0, minted), "{s0}i:4").Val(); !slices.Equal(got, before) {
			t.Errorf("%s without a shard map: the counters are %v, want %v", c.do.script.Name(), got, before)
		}
		know(true, at+1)
		if got := one(t, s, c.do, a); got.Code != c.done {
			t.Errorf("%s: got %+v, want code %d", c.do.script.Name(), got, c.done)
		}
		got := redis.MGet(t.Context(), counterKey(0, minted), "{s0}i:4").Val()
		if got[0] != c.minted || got[1] != c.other {
			t.Errorf("%s: the counters are %v, want %s and %s", c.do.script.Name(), got, c.minted, c.other)
		}
		at += 2
	}
	servers[0].Kill()
	testredis.Eventually(t, "the shard map is unknown", func() bool { return c.Modulus() == 0 })
	if got := one(t, s, release, a); got.Code != api.Unknown || got.Reason != api.ShardDown || got.SilentMS == 0 {
		t.Errorf("release with the shard down and no shard map: got %+v, want UNKNOWN, ShardDown, SilentMS > 0", got)
	}
}

// If the ID of a counter belongs to no shard, or if the counter does not exist, the attempt is refused, and the refusal
// is recorded.
func TestReserveRefusesImpossibleCounters(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "stock", 2, Scripts)
	s := NewReservations(c, "i:")
	for _, id := range []string{"no-id", "", "-1", "99", shard.Mint(0), shard.Mint(7), "{s0}i:x", "é"} {
		a := attempt(far, api.Line{ID: id, Quantity: 1})
		for range 2 {
			if got := one(t, s, reserve, a); got.Code != api.Refused || got.Reason != api.NotFound || got.ID != id {
				t.Errorf("reserve from the missing counter %q: got %+v, want REFUSED, NotFound and this ID", id, got)
			}
		}
		records := 0
		for i, server := range servers {
			if server.Dump(t)[fmt.Sprintf("{s%d}r:%s", i, a.ID)] == fmt.Sprintf("2 2 0@%d", int64(far+60000)) {
				records++
			}
		}
		if records != 1 {
			t.Errorf("counter %q: got %d records of the refusal, want 1", id, records)
		}
	}
}

// A reserve message that sets Wait gets the outcome SHORT while a shard has too few pieces. When enough pieces are
// free, a retry reserves them.
func TestReserveThatWaits(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "stock", 2, Scripts)
	s := NewReservations(c, "i:")
	ids := []string{put(t, servers, 0, 5), put(t, servers, 1, 0)}
	a := attempt(far, api.Line{ID: ids[0], Quantity: 1}, api.Line{ID: ids[1], Quantity: 1})
	a.Wait = true
	for range 2 {
		if got := one(t, s, reserve, a); got.Code != api.Short {
			t.Errorf("too little on one shard: got %+v, want SHORT", got)
		}
	}
	if err := servers[1].Client.Set(t.Context(), "{s1}i:"+ids[1], 1, 0).Err(); err != nil {
		t.Fatal(err)
	}
	if got := one(t, s, reserve, a); got.Code != api.Reserved {
		t.Errorf("enough on both shards: got %+v, want RESERVED", got)
	}
	b := attempt(far, api.Line{ID: ids[1], Quantity: 1})
	if got := one(t, s, reserve, b); got.Code != api.Refused || got.ID != ids[1] {
		t.Errorf("reserve without Wait: got %+v, want REFUSED and the ID of the line", got)
	}
}

func TestJoinOutcomes(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "stock", 2, Scripts)
	s := NewReservations(c, "i:")
	ids := []string{put(t, servers, 0, 5), put(t, servers, 1, 5)}
	record := func(text string) func(string, *testredis.Server) error {
		return func(key string, server *testredis.Server) error {
			if text == "1" {
				i := slices.Index(servers, server)
				return server.Client.Set(t.Context(), key, "1 "+counterKey(i, ids[i])+" 1", 0).Err()
			}
			return server.Client.Set(t.Context(), key, text, 0).Err()
		}
	}
	access := func(rule string) func(string, *testredis.Server) error {
		return func(_ string, server *testredis.Server) error {
			return server.Client.Do(t.Context(), "ACL", "SETUSER", "default", rule).Err()
		}
	}
	allow, forbid := access("+evalsha"), access("-evalsha")
	// prepare makes a shard return a code. For UNKNOWN, it forbids scripts on the shard. For EXPIRED, it does
	// nothing, because the deadline of the attempt has passed. For other codes, it stores a record with the code.
	prepare := map[api.Code]func(key string, server *testredis.Server) error{
		api.Unknown: forbid, api.Reserved: record("1"), api.Refused: record("2 1 0"),
		api.Released: record("3"), api.Refunded: record("5"),
		api.Expired: func(string, *testredis.Server) error { return nil },
	}

	type pair struct{ one, other, want api.Code }
	for name, pairs := range map[string][]pair{
		"reserve": { // by precedence: REFUSED, EXPIRED, UNKNOWN, RELEASED, RESERVED
			{api.Reserved, api.Reserved, api.Reserved}, {api.Reserved, api.Refused, api.Refused},
			{api.Reserved, api.Released, api.Released},
			{api.Reserved, api.Expired, api.Expired}, {api.Reserved, api.Unknown, api.Unknown},
			{api.Refused, api.Refused, api.Refused},
			{api.Refused, api.Released, api.Refused}, {api.Refused, api.Expired, api.Refused},
			{api.Refused, api.Unknown, api.Refused},
			{api.Released, api.Released, api.Released}, {api.Released, api.Expired, api.Expired},
			{api.Released, api.Unknown, api.Unknown},
			{api.Expired, api.Expired, api.Expired}, {api.Expired, api.Unknown, api.Expired},
			{api.Unknown, api.Unknown, api.Unknown}},
		"release": { // by precedence: UNKNOWN, RELEASED, REFUSED
			{api.Released, api.Released, api.Released}, {api.Released, api.Refused, api.Released},
			{api.Refused, api.Refused, api.Refused},
			{api.Released, api.Unknown, api.Unknown}, {api.Refused, api.Unknown, api.Unknown},
			{api.Unknown, api.Unknown, api.Unknown}},
		"refund": { // by precedence: EXPIRED, UNKNOWN, REFUNDED
			{api.Refunded, api.Refunded, api.Refunded}, {api.Refunded, api.Expired, api.Expired},
			{api.Refunded, api.Unknown, api.Unknown},
			{api.Expired, api.Expired, api.Expired}, {api.Expired, api.Unknown, api.Expired},
			{api.Unknown, api.Unknown, api.Unknown}},
	} {
		do := map[string]step{"reserve": reserve, "release": release, "refund": refund}[name]
		for _, p := range pairs {
			for _, codes := range [][2]api.Code{{p.one, p.other}, {p.other, p.one}} {
				a := attempt(1, api.Line{ID: ids[0], Quantity: 1}, api.Line{ID: ids[1], Quantity: 1})
				for i, code := range codes {
					key := fmt.Sprintf("{s%d}r:%s%s", i, a.ID, do.suffix)
					if err := allow("", servers[i]); err != nil {
						t.Fatal(err)
					}
					testredis.Eventually(t, "the shard accepts writes", c.Shards()[i].Writable)
					if err := prepare[code](key, servers[i]); err != nil {
						t.Fatal(err)
					}
				}
				if got := one(t, s, do, a); got.Code != p.want {
					t.Errorf("%s: the shards return codes %v: got code %v, want %v", name, codes, got.Code, p.want)
				}
			}
		}
	}
	if a, b := counter(t, servers, ids[0]), counter(t, servers, ids[1]); a != 5 || b != 5 {
		t.Errorf("after all steps: the counters are %d and %d, want 5 and 5", a, b)
	}
}
