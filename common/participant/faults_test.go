package participant

import (
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/testredis"
)

// A shard that is away leaves an attempt unknown, not the others; when it is back the same message completes the step.
func TestOneShardIsAway(t *testing.T) {
	t.Parallel()
	db, servers := testredis.Open(t, "stock", 2, Scripts)
	s := NewReservations(db, "i:")
	here, away := put(t, servers, 0, 5), put(t, servers, 1, 5)
	both := attempt(far, api.Line{ID: here, Quantity: 1}, api.Line{ID: away, Quantity: 1})
	if got := one(t, s, reserve, both); got.Code != api.Reserved {
		t.Fatalf("reserve: %+v", got)
	}
	servers[1].Kill()
	other, onlyHere := attempt(far, both.Lines...), attempt(far, api.Line{ID: here, Quantity: 1})
	outcomes := s.Reserve(t.Context(), []api.Attempt{other, onlyHere})
	if outcomes[0].Code != api.Unknown || outcomes[1].Code != api.Reserved {
		t.Errorf("reserve with a shard away: %+v", outcomes)
	}
	tooMuch := attempt(far, api.Line{ID: away, Quantity: 1}, api.Line{ID: here, Quantity: 99})
	if got := one(t, s, reserve, tooMuch); got.Code != api.Refused || got.ID != here {
		t.Errorf("refused here, unknown there: %+v", got)
	}
	if got := one(t, s, release, both); got.Code != api.Unknown {
		t.Errorf("release with a shard away: %+v", got)
	}
	testredis.Eventually(t, "callers are told that the shard is dead", func() bool {
		got := s.Reserve(t.Context(), []api.Attempt{other, onlyHere})
		return got[0].Code == api.Unknown && got[0].Reason == api.ShardDown && got[1].Reason == api.NoReason
	})
	if done := s.Confirm(t.Context(), []api.Confirmation{{Record: onlyHere.ID, Until: far, Shards: []int{0}}, {Record: both.ID, Until: far, Shards: []int{0, 1}},
		{Record: both.ID, Until: far, Shards: []int{7}}, {Record: both.ID, Until: far, Shards: []int{-1}}}); !slices.Equal(done, []api.Done{{OK: true}, {}, {}, {}}) {
		t.Errorf("confirm with a shard away: %v", done)
	}
	servers[1].Restart(t)
	testredis.Eventually(t, "release completes", func() bool { return one(t, s, release, both).Code == api.Released })
	for _, a := range []api.Attempt{other, tooMuch} {
		if got := one(t, s, release, a); got.Code != api.Released {
			t.Errorf("release: %+v", got)
		}
	}
	if a, b := counter(t, servers, here), counter(t, servers, away); a != 4 || b != 5 {
		t.Errorf("counters: %d here, %d away, want 4 (one is sold) and 5", a, b)
	}
}

// Mistake 5 of the predecessor: a shard that was restarted has no scripts, and nothing may fail for that.
func TestScriptsAreLost(t *testing.T) {
	t.Parallel()
	db, servers := testredis.Open(t, "stock", 1, Scripts)
	s := NewReservations(db, "i:")
	id := put(t, servers, 0, 5)
	flush := func() {
		if err := servers[0].Client.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	restart := func() {
		servers[0].Kill()
		servers[0].Restart(t)
		testredis.Eventually(t, "the shard is up", func() bool {
			reply, err := db.Shards()[0].StartValues(counterKey(0, id)).Wait(t.Context())
			return err == nil && reply.Has(0)
		})
	}
	for name, lose := range map[string]func(){"flushed": flush, "restarted": restart} {
		t.Run(name, func(t *testing.T) {
			paid, aborted := attempt(far, api.Line{ID: id, Quantity: 2}), attempt(far, api.Line{ID: id, Quantity: 3})
			for _, call := range []struct {
				do   step
				a    api.Attempt
				want api.Code
				left int64
			}{{reserve, paid, api.Reserved, 3}, {reserve, aborted, api.Reserved, 0}, {release, aborted, api.Released, 3}, {refund, paid, api.Refunded, 5}} {
				lose()
				if got := one(t, s, call.do, call.a); got.Code != call.want {
					t.Errorf("%+v, want code %d", got, call.want)
				}
				if got := counter(t, servers, id); got != call.left {
					t.Errorf("%d left, want %d", got, call.left)
				}
			}
			lose()
			if done := s.Confirm(t.Context(), []api.Confirmation{{Record: paid.ID, Until: far, Shards: []int{0}}}); !done[0].OK {
				t.Error("confirm failed")
			}
		})
	}
}

// Mistake 16 of the predecessor: a full shard refuses to take, and never refuses to give back.
func TestMemoryIsFull(t *testing.T) {
	t.Parallel()
	db, servers := testredis.Open(t, "stock", 1, Scripts)
	s := NewReservations(db, "i:")
	id := put(t, servers, 0, 10)
	line := api.Line{ID: id, Quantity: 1}
	paid, aborted, late, never := attempt(far, line), attempt(far, line), attempt(far, line), attempt(far, line)
	for _, a := range []api.Attempt{paid, aborted} {
		if got := one(t, s, reserve, a); got.Code != api.Reserved {
			t.Fatalf("%+v", got)
		}
	}
	memory := func(bytes string) {
		if err := servers[0].Client.ConfigSet(t.Context(), "maxmemory", bytes).Err(); err != nil {
			t.Fatal(err)
		}
	}
	memory("1")
	// The scripts are lost as well: they must be loaded into a full shard.
	if err := servers[0].Client.ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	before := servers[0].Dump(t)
	if got := one(t, s, reserve, late); got.Code != api.Unknown {
		t.Errorf("reserve: %+v, want unknown", got)
	}
	if after := servers[0].Dump(t); !maps.Equal(before, after) {
		t.Errorf("reserve has written: %v", after)
	}
	for range 2 {
		if got := one(t, s, release, aborted); got.Code != api.Released {
			t.Errorf("release: %+v", got)
		}
		if got := one(t, s, release, never); got.Code != api.Released {
			t.Errorf("release of what was never taken: %+v", got)
		}
		if got := one(t, s, refund, paid); got.Code != api.Refunded {
			t.Errorf("refund: %+v", got)
		}
		if done := s.Confirm(t.Context(), []api.Confirmation{{Record: paid.ID, Until: far, Shards: []int{0}}, {Record: paid.ID + ":refund", Until: far, Shards: []int{0}}}); !done[0].OK || !done[1].OK {
			t.Errorf("confirm: %v", done)
		}
	}
	if got := counter(t, servers, id); got != 10 {
		t.Errorf("%d left, want 10", got)
	}
	memory("0")
	if got := one(t, s, reserve, never); got.Code != api.Released {
		t.Errorf("reserve after its release: %+v", got)
	}
	if got := one(t, s, reserve, late); got.Code != api.Reserved {
		t.Errorf("reserve with memory again: %+v", got)
	}
}

// RESERVED outlives its deadline, since a decision may be on its way for as long as it takes; a reserve that comes later does not.
func TestDeadline(t *testing.T) {
	t.Parallel()
	db, servers := testredis.Open(t, "stock", 1, Scripts)
	s := NewReservations(db, "i:")
	id := put(t, servers, 0, 10)
	now, err := servers[0].Client.Time(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	until := now.Add(200 * time.Millisecond).UnixMilli()
	line := api.Line{ID: id, Quantity: 1}
	held, refused, late := attempt(until, line), attempt(until, api.Line{ID: id, Quantity: 99}), attempt(until, line)
	if got := s.Reserve(t.Context(), []api.Attempt{held, refused}); got[0].Code != api.Reserved || got[1].Code != api.Refused {
		t.Fatalf("%+v", got)
	}
	testredis.Eventually(t, "the deadline passes", func() bool {
		return one(t, s, reserve, attempt(until, api.Line{ID: id, Quantity: 0})).Code == api.Expired
	})
	got := s.Reserve(t.Context(), []api.Attempt{held, refused, late})
	if got[0].Code != api.Reserved || got[1].Code != api.Refused || got[2].Code != api.Expired {
		t.Errorf("repeated after the deadline: %+v", got)
	}
	state := servers[0].Dump(t)
	ends := "@" + strconv.FormatInt(until+60000, 10)
	if got := state["{s0}r:"+held.ID]; got != "1 "+counterKey(0, id)+" 1" {
		t.Errorf("RESERVED is %q, want no end", got)
	}
	if got := state["{s0}r:"+refused.ID]; got != "2 1 0"+ends {
		t.Errorf("REFUSED is %q, want to end at %s", got, ends)
	}
	if _, ok := state["{s0}r:"+late.ID]; ok {
		t.Error("EXPIRED has left a record")
	}
	if got := one(t, s, release, held); got.Code != api.Released {
		t.Errorf("release: %+v", got)
	}
	if got := servers[0].Dump(t)["{s0}r:"+held.ID]; got != "3"+ends {
		t.Errorf("RELEASED is %q, want to end at %s", got, ends)
	}
	if got := counter(t, servers, id); got != 10 {
		t.Errorf("%d left, want 10", got)
	}
}
