package saga

import (
	"context"
	"sync"
	"testing"
	"time"

	"checkout/common/cluster"
	"checkout/common/env"
	"checkout/common/shard"
	"checkout/common/testredis"
	"checkout/order/store"
)

// A new process needs a moment to connect to a shard. Unlike an outage of the shard, this does not delay the recovery
// of orphaned orders.
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
		t.Errorf("after %d looks: missing processes count from look %d, want %d", w.look, w.since, 1+startLooks)
	}
	server.Kill()
	looks := w.look
	watch(func() bool { return w.since > 1+startLooks })
	if want := looks + 1 + settleLooks; w.since < want {
		t.Errorf("after an outage: missing processes count from look %d, want at least %d", w.since, want)
	}
}

// A process that has lost only its connection to one shard is alive, so recovery does not claim its orders.
// Reservations wait for these orders only for a limited time.
func TestReservationsWaitForAMissingProcessForALimitedTime(t *testing.T) {
	t.Parallel()
	s, servers := openShopOf(t)
	item, user := shard.Mint(0), shard.Mint(0)
	s.set("{s0}i:"+item, 10)
	s.set("{p0}u:"+user, 100)
	missing := s.instances(1, servers...)[0]
	co := New(store.New(testredis.Connect(t, "order", servers, store.Scripts)), s.stock, s.payment)
	r := NewRecovery(co)
	ctx, cancel := context.WithCancel(t.Context())
	var working sync.WaitGroup
	defer func() { cancel(); working.Wait() }()
	working.Go(func() { r.Run(ctx) })
	working.Go(func() {
		for by := missing.cluster.Incarnation()[:8]; ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
			r.noteConnected(store.Incarnations{by: true})
		}
	})
	s.hold(missing, s.orderOn(missing, 0, user, item))
	missing.die()
	testredis.Eventually(t, "the process is missing", func() bool { return co.orphans.Load() > 0 })
	time.Sleep(orphanWaiting + 200*time.Millisecond)
	if n := co.orphans.Load(); n != 0 {
		t.Errorf("reservations still wait for %d processes, want 0", n)
	}
}
