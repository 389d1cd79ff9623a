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

// While a shard of an attempt is down, the outcome of the attempt is unknown, unless another shard refuses. Attempts on
// other shards are not affected. When the shard is up again, the same message completes the step.
func TestAttemptOnADownShardIsUnknownUntilItReturns(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "stock", 2, Scripts)
	s := NewReservations(c, "i:")
	s.late = time.Hour
	up, down := put(t, servers, 0, 5), put(t, servers, 1, 5)
	both := attempt(far, api.Line{ID: up, Quantity: 1}, api.Line{ID: down, Quantity: 1})
	if got := one(t, s, reserve, both); got.Code != api.Reserved {
		t.Fatalf("reserve: got %+v, want RESERVED", got)
	}
	servers[1].Kill()
	other, onlyUp := attempt(far, both.Lines...), attempt(far, api.Line{ID: up, Quantity: 1})
	outcomes := s.Reserve(t.Context(), []api.Attempt{other, onlyUp})
	if outcomes[0].Code != api.Unknown || outcomes[1].Code != api.Reserved {
		t.Errorf("reserve with a shard down: got %+v, want UNKNOWN and RESERVED", outcomes)
	}
	tooMuch := attempt(far, api.Line{ID: down, Quantity: 1}, api.Line{ID: up, Quantity: 99})
	if got := one(t, s, reserve, tooMuch); got.Code != api.Refused || got.ID != up {
		t.Errorf("reserve, refused by one shard and unknown on the other: got %+v, want REFUSED", got)
	}
	if got := one(t, s, release, both); got.Code != api.Unknown {
		t.Errorf("release with a shard down: got %+v, want UNKNOWN", got)
	}
	testredis.Eventually(t, "outcomes report that the shard is down", func() bool {
		got := s.Reserve(t.Context(), []api.Attempt{other, onlyUp})
		return got[0].Code == api.Unknown && got[0].Reason == api.ShardDown && got[1].Reason == api.NoReason
	})
	done := s.Confirm(t.Context(), []api.Confirmation{
		confirmation(onlyUp.ID, 0), confirmation(both.ID, 0, 1), confirmation(both.ID, 7), confirmation(both.ID, -1),
	})
	if !slices.Equal(done, []api.Done{{OK: true}, {}, {}, {}}) {
		t.Errorf("confirm with a shard down: got %v, want OK for the first record only", done)
	}
	servers[1].Restart(t)
	testredis.Eventually(t, "release completes", func() bool { return one(t, s, release, both).Code == api.Released })
	for _, a := range []api.Attempt{other, tooMuch} {
		if got := one(t, s, release, a); got.Code != api.Released {
			t.Errorf("release: got %+v, want RELEASED", got)
		}
	}
	if a, b := counter(t, servers, up), counter(t, servers, down); a != 4 || b != 5 {
		t.Errorf("counters: got %d and %d, want 4 (one piece is sold) and 5", a, b)
	}
}

// If one shard of an attempt refuses and another one hangs, the outcome reports both. The coordinator then waits only
// briefly for the release of the attempt.
func TestRefusalOfOneShardReportsThatAnotherHangs(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "stock", 2, Scripts)
	s := NewReservations(c, "i:")
	for hanging := range servers {
		good, refuses := put(t, servers, hanging, 5), put(t, servers, 1-hanging, 5)
		servers[hanging].Pause()
		a := attempt(far, api.Line{ID: good, Quantity: 1}, api.Line{ID: refuses, Quantity: 99})
		got := one(t, s, reserve, a)
		servers[hanging].Resume()
		if got.Code != api.Refused || got.ID != refuses || !got.Hangs {
			t.Errorf("reserve while shard %d hangs: got %+v, want REFUSED and Hangs", hanging, got)
		}
		testredis.Eventually(t, "the attempt is released", func() bool { return one(t, s, release, a).Code == api.Released })
	}
}

// A shard that restarts loses its scripts. Steps must not fail because of this loss.
func TestStepsReloadLostScripts(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "stock", 1, Scripts)
	s := NewReservations(c, "i:")
	id := put(t, servers, 0, 5)
	flush := func() {
		if err := servers[0].Client.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	restart := func() {
		servers[0].Kill()
		servers[0].Restart(t)
		testredis.Eventually(t, "the shard replies", func() bool {
			reply, err := c.Shards()[0].StartValues(counterKey(0, id)).Wait(t.Context())
			return err == nil && reply.Has(0)
		})
	}
	for name, lose := range map[string]func(){"flushed": flush, "restarted": restart} {
		t.Run(name, func(t *testing.T) {
			paid, aborted := attempt(far, api.Line{ID: id, Quantity: 2}), attempt(far, api.Line{ID: id, Quantity: 3})
			for _, row := range []struct {
				do      step
				attempt api.Attempt
				want    api.Code
				left    int64
			}{
				{reserve, paid, api.Reserved, 3}, {reserve, aborted, api.Reserved, 0},
				{release, aborted, api.Released, 3}, {refund, paid, api.Refunded, 5},
			} {
				lose()
				if got := one(t, s, row.do, row.attempt); got.Code != row.want {
					t.Errorf("step without its script: got %+v, want code %d", got, row.want)
				}
				if got := counter(t, servers, id); got != row.left {
					t.Errorf("counter: got %d, want %d", got, row.left)
				}
			}
			lose()
			if done := s.Confirm(t.Context(), []api.Confirmation{confirmation(paid.ID, 0)}); !done[0].OK {
				t.Error("confirm: got an unknown outcome, want OK")
			}
		})
	}
}

// When memory is full, a shard rejects reserve and accepts all other steps.
func TestFullShardRejectsReserveOnly(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "stock", 1, Scripts)
	s := NewReservations(c, "i:")
	id := put(t, servers, 0, 10)
	line := api.Line{ID: id, Quantity: 1}
	paid, aborted, unreserved := attempt(far, line), attempt(far, line), attempt(far, line)
	late := attempt(far, line)
	for _, a := range []api.Attempt{paid, aborted} {
		if got := one(t, s, reserve, a); got.Code != api.Reserved {
			t.Fatalf("reserve: got %+v, want RESERVED", got)
		}
	}
	setMaxMemory := func(bytes string) {
		if err := servers[0].Client.ConfigSet(t.Context(), "maxmemory", bytes).Err(); err != nil {
			t.Fatal(err)
		}
	}
	setMaxMemory("1")
	// A full shard must also load scripts.
	if err := servers[0].Client.ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	before := servers[0].Dump(t)
	if got := one(t, s, reserve, late); got.Code != api.Unknown {
		t.Errorf("reserve on a full shard: got %+v, want UNKNOWN", got)
	}
	if after := servers[0].Dump(t); !maps.Equal(before, after) {
		t.Errorf("reserve on a full shard changed the data to %v, want %v", after, before)
	}
	for range 2 {
		if got := one(t, s, release, aborted); got.Code != api.Released {
			t.Errorf("release: got %+v, want RELEASED", got)
		}
		if got := one(t, s, release, unreserved); got.Code != api.Released {
			t.Errorf("release of an attempt that has reserved nothing: got %+v, want RELEASED", got)
		}
		if got := one(t, s, refund, paid); got.Code != api.Refunded {
			t.Errorf("refund: got %+v, want REFUNDED", got)
		}
		confirmations := []api.Confirmation{confirmation(paid.ID, 0), confirmation(paid.ID+":refund", 0)}
		if done := s.Confirm(t.Context(), confirmations); !done[0].OK || !done[1].OK {
			t.Errorf("confirm: got %v, want both OK", done)
		}
	}
	if got := counter(t, servers, id); got != 10 {
		t.Errorf("counter: got %d, want 10", got)
	}
	setMaxMemory("0")
	testredis.Eventually(t, "the shard accepts writes", c.Shards()[0].Writable)
	if got := one(t, s, reserve, unreserved); got.Code != api.Released {
		t.Errorf("reserve after the release: got %+v, want RELEASED", got)
	}
	if got := one(t, s, reserve, late); got.Code != api.Reserved {
		t.Errorf("reserve when memory is free again: got %+v, want RESERVED", got)
	}
}

// A reservation outlives its deadline, because the decision may arrive at any time. A reserve message that arrives
// after the deadline reserves nothing.
func TestReservationOutlivesItsDeadline(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "stock", 1, Scripts)
	s := NewReservations(c, "i:")
	var id string
	var until int64
	var held, refused, late api.Attempt
	reserved := false
	for timeout := 200 * time.Millisecond; !reserved && timeout < 10*time.Second; timeout *= 2 { // the host may stall
		now, err := servers[0].Client.Time(t.Context()).Result()
		if err != nil {
			t.Fatal(err)
		}
		id, until = put(t, servers, 0, 10), now.Add(timeout).UnixMilli()
		line := api.Line{ID: id, Quantity: 1}
		held, refused, late = attempt(until, line), attempt(until, api.Line{ID: id, Quantity: 99}), attempt(until, line)
		got := s.Reserve(t.Context(), []api.Attempt{held, refused})
		reserved = got[0].Code == api.Reserved && got[1].Code == api.Refused
	}
	if !reserved {
		t.Fatal("reserve before the deadline: every try failed, want RESERVED for 1 piece and REFUSED for 99")
	}
	testredis.Eventually(t, "the deadline passes", func() bool {
		return one(t, s, reserve, attempt(until, api.Line{ID: id, Quantity: 0})).Code == api.Expired
	})
	got := s.Reserve(t.Context(), []api.Attempt{held, refused, late})
	if got[0].Code != api.Reserved || got[1].Code != api.Refused || got[2].Code != api.Expired {
		t.Errorf("reserve after the deadline: got %+v, want RESERVED, REFUSED and EXPIRED", got)
	}
	state := servers[0].Dump(t)
	expiry := "@" + strconv.FormatInt(until+60000, 10)
	if got := state["{s0}r:"+held.ID]; got != "1 "+counterKey(0, id)+" 1" {
		t.Errorf("RESERVED: got record %q, want code 1, the counter, 1 piece and no expiry", got)
	}
	if got := state["{s0}r:"+refused.ID]; got != "2 1 0 9"+expiry {
		t.Errorf("REFUSED: got record %q, want 2 1 0 9%s", got, expiry)
	}
	if _, ok := state["{s0}r:"+late.ID]; ok {
		t.Error("EXPIRED: got a record, want none")
	}
	if got := one(t, s, release, held); got.Code != api.Released {
		t.Errorf("release: got %+v, want RELEASED", got)
	}
	if got := servers[0].Dump(t)["{s0}r:"+held.ID]; got != "3"+expiry {
		t.Errorf("RELEASED: got record %q, want 3%s", got, expiry)
	}
	if got := counter(t, servers, id); got != 10 {
		t.Errorf("counter: got %d, want 10", got)
	}
}
