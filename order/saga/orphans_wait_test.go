package saga

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/env"
	"checkout/common/shard"
	"checkout/common/testredis"
	"checkout/order/store"
)

// The time that a new process needs to connect to a shard does not count as an outage of the shard. An outage would
// delay the recovery of orphans.
func TestConnectingAtTheStartIsNoOutage(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	c := cluster.Open("order", env.Redis{Addrs: []string{server.Addr}}, store.Scripts)
	defer c.Close()
	w := newOrphanWatch(NewRecovery(New(store.New(c), nil, nil)), c.Shards()[0])
	watch := func(until func() bool) {
		testredis.Eventually(t, "the watch has seen the shard", func() bool {
			w.step(t.Context())
			return until()
		})
	}
	watch(func() bool { return w.look > 0 })
	if w.since != 1+startLooks {
		t.Errorf("after %d looks: the last look that does not count is %d, want %d", w.look, w.since, 1+startLooks)
	}
	server.Kill()
	looks := w.look
	watch(func() bool { return w.since > 1+startLooks })
	if want := looks + 1 + settleLooks; w.since < want {
		t.Errorf("after an outage: the last look that does not count is %d, want at least %d", w.since, want)
	}
}

// The wait is limited, because the missing process may be alive.
func TestReservationsWaitForAMissingProcessForALimitedTime(t *testing.T) {
	t.Parallel()
	s, servers := openShopOf(t)
	item, user := shard.Mint(0), shard.Mint(0)
	s.set("{s0}i:"+item, 10)
	s.set("{p0}u:"+user, 100)
	missing, living := s.idle(servers...), s.idle(servers...)
	watch := newOrphanWatch(NewRecovery(living.Coordinator), living.cluster.Shards()[0])
	watch.waiting = time.Millisecond
	s.hold(missing, s.orderOn(missing, 0, user, item))
	missing.die()
	testredis.Eventually(t, "the process is missing", func() bool {
		watch.step(t.Context())
		return len(watch.suspects) > 0
	})
	testredis.Eventually(t, "no reservation waits", func() bool { return living.orphans.Load() == 0 })
}

// If an order of a dead instance holds the pieces or the credit that a checkout needs, the checkout waits and is not
// refused.
func TestCheckoutWaitsForOrphanedReservations(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what          string
		stock, credit int64
		other         bool // whether the second order is of another user
	}{
		{"pieces", 1, 100, true}, {"credit", 10, 2, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			s, servers := openShopOf(t)
			item, user := shard.Mint(0), shard.Mint(0)
			s.set("{s0}i:"+item, c.stock)
			s.set("{p0}u:"+user, c.credit)
			dying, living := s.idle(servers...), s.idle(servers...)
			s.hold(dying, s.orderOn(dying, 0, user, item))
			dying.die()
			watch := newOrphanWatch(NewRecovery(living.Coordinator), living.cluster.Shards()[0])
			watch.waiting = time.Hour
			testredis.Eventually(t, "the dead instance is missing", func() bool {
				watch.step(t.Context())
				return living.orphans.Load() > 0
			})
			if c.other {
				user = shard.Mint(0)
				s.set("{p0}u:"+user, 2)
			}
			waits := func() int32 { return s.stock.waits.Load() + s.payment.waits.Load() }
			result := make(chan error)
			id := s.orderOn(living, 1, user, item)
			go func() { result <- living.Checkout(context.Background(), id, Request{}) }()
			testredis.Eventually(t, "the checkout waits", func() bool { return waits() > 2 })
			testredis.Eventually(t, "the orphan is recovered", func() bool {
				watch.step(t.Context())
				return living.orphans.Load() == 0
			})
			if err := <-result; err != nil {
				t.Errorf("checkout that waits for orphans: got %v, want success", err)
			}
			refused, want, before := s.orderOn(living, 1, user, item), api.InsufficientCredit, waits()
			if c.other {
				want = api.InsufficientStock
				s.set("{p0}u:"+user, 2)
			}
			if err := living.Checkout(t.Context(), refused, Request{}); !errors.Is(err, want) || waits() != before {
				t.Errorf("checkout without orphans: got %v, and %d reservations waited; want %v, 0", err, waits()-before, want)
			}
		})
	}
}

// If recovery releases no pieces in time, the waiting checkout gets insufficient-stock.
func TestCheckoutThatWaitsIsRefusedInTheEnd(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	item, user := shard.Mint(0), shard.Mint(0)
	s.set("{s0}i:"+item, 0)
	s.set("{p0}u:"+user, 100)
	defer s.co.expectOrphans()()
	s.co.orphanWait = time.Hour
	tries := 0
	s.stock.onReserve = func() {
		if tries++; tries == 3 {
			s.co.orphanWait = 0 // the next try does not wait
		}
	}
	err := s.co.Checkout(t.Context(), s.order(user, map[string]int64{item: 1}), Request{})
	if !errors.Is(err, api.InsufficientStock) || tries != 4 || s.stock.waits.Load() != 3 {
		t.Errorf("checkout: got %v after %d tries, %d of them waiting; want insufficient-stock, 4, 3", err, tries,
			s.stock.waits.Load())
	}
	if credit := s.get("{p0}u:" + user); credit != 100 {
		t.Errorf("credit: got %d, want 100", credit)
	}
}

// An attempt waits for orphaned reservations for at most orphanBudget. It stops waiting shortly before its time to
// reserve ends, so that its client gets the refusal and not 503.
func TestLastTriesDoNotWait(t *testing.T) {
	for _, c := range []struct {
		orphans     int64
		since, left time.Duration // time since the start of the attempt, and time left to reserve
		want        bool
	}{
		{1, 0, forwardBudget, true},
		{0, 0, forwardBudget, false},
		{1, orphanBudget - 1, refusalBudget + 1, true},
		{1, orphanBudget, refusalBudget + 1, false},
		{1, orphanBudget - 1, refusalBudget, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			co, a := &Coordinator{orphanWait: orphanBudget}, &attempt{started: time.Now().Add(-c.since)}
			co.orphans.Store(c.orphans)
			forward, stop := context.WithTimeout(t.Context(), c.left)
			defer stop()
			if got := co.waits(forward, a); got != c.want {
				t.Errorf("%+v: waits is %v, want %v", c, got, c.want)
			}
		})
	}
}
