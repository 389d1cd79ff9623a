package saga

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/shard"
	"checkout/common/testredis"
	"checkout/order/store"
)

// instance is an instance of the order service of a shop. It runs recovery workers, unless the method "idle" has
// started it.
type instance struct {
	*Coordinator
	cluster *cluster.Cluster
	stop    func() // ends the recovery workers; the connections of the instance stay open
}

// The method "instances" starts n instances of the order service. They share the given Redis servers, and the
// participants (stock and payment) of the shop.
func (s *shop) instances(n int, servers ...*testredis.Server) []*instance {
	all := make([]*instance, n)
	for i := range all {
		all[i] = s.idle(servers...)
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { defer close(ended); NewRecovery(all[i].Coordinator).Run(ctx) }()
		all[i].stop = func() { cancel(); <-ended }
		s.t.Cleanup(all[i].stop)
	}
	return all
}

// idle starts an instance without recovery workers.
func (s *shop) idle(servers ...*testredis.Server) *instance {
	c := testredis.Connect(s.t, "order", servers, store.Scripts)
	return &instance{New(store.New(c), s.stock, s.payment), c, func() {}}
}

// die ends the recovery workers and closes the connections, as the kernel does for a process that was killed.
func (i *instance) die() {
	i.stop()
	i.cluster.Close()
}

// hold begins an attempt of an order and reserves stock and credit, like a coordinator that stops before the commit.
// The lease of the attempt does not expire during the test.
func (s *shop) hold(i *instance, id string) store.Result {
	s.t.Helper()
	begun, err := i.store.Begin(s.t.Context(), id, mintAttempt(""), "")
	if err != nil || begun.Code != store.CodeStarted {
		s.t.Fatalf("begin: got %+v, %v; want STARTED", begun, err)
	}
	i.postpone(s.t, id)
	a := newAttempt(id, begun)
	for _, outcome := range []api.Outcome{
		s.payment.Reserve(s.t.Context(), a.credit()), s.stock.Reserve(s.t.Context(), a.stock()),
	} {
		if outcome.Code != api.Reserved {
			s.t.Fatalf("reserve: got %+v, want RESERVED", outcome)
		}
	}
	return begun
}

// postpone sets the lease of an undecided order, and the time from which recovery may claim it, to the distant future.
func (i *instance) postpone(t *testing.T, id string) {
	t.Helper()
	index, _ := shard.Of(id)
	at, later := i.store.Shards()[index], time.Now().Add(time.Hour).UnixMilli()
	_, lease := at.Do(t.Context(), "HSET", at.Key("o:"+id), "lease", later)
	_, due := at.Do(t.Context(), "ZADD", at.Key("undecided"), "XX", later, id)
	if err := errors.Join(lease, due); err != nil {
		t.Fatal(err)
	}
}

// openShopOf opens a shop, and starts two Redis servers for the methods "instances" and "idle".
func openShopOf(t *testing.T) (*shop, []*testredis.Server) {
	s := openShop(t)
	return s, []*testredis.Server{testredis.Start(t), testredis.Start(t)}
}

// orderOn creates an order of one piece, with a total of 2, on an order shard.
func (s *shop) orderOn(i *instance, at int, user, item string) string {
	s.t.Helper()
	id := shard.Mint(at)
	if err := i.store.Create(s.t.Context(), nil, id, user); err != nil {
		s.t.Fatal(err)
	}
	if err := i.store.AddItem(s.t.Context(), nil, id, item, 1, 2); err != nil {
		s.t.Fatal(err)
	}
	return id
}

func (i *instance) stateOf(t *testing.T, id string) string {
	t.Helper()
	o, err := i.store.Find(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return o.State
}

// If an instance dies, another instance or its own next process decides its orders before their leases expire. The
// orders are in different undecided states and on different shards.
func TestOrdersOfADeadInstanceAreRecoveredAtOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what  string
		start func(*shop, []*testredis.Server) (dying, recovering *instance)
	}{
		{"another instance", func(s *shop, servers []*testredis.Server) (*instance, *instance) {
			both := s.instances(2, servers...)
			return both[0], both[1]
		}},
		{"the next process", func(s *shop, servers []*testredis.Server) (*instance, *instance) {
			return s.instances(1, servers...)[0], nil
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			s, servers := openShopOf(t)
			dying, recovering := c.start(s, servers)
			item, user := shard.Mint(0), shard.Mint(0)
			s.set("{s0}i:"+item, 10)
			s.set("{p0}u:"+user, 100)
			running, aborting, refunding := s.orderOn(dying, 0, user, item), s.orderOn(dying, 1, user, item),
				s.orderOn(dying, 1, user, item)
			s.hold(dying, running)
			a := s.hold(dying, aborting)
			if _, err := dying.store.Abort(t.Context(), aborting, a.Attempt, reasonCredit, store.Steps{}); err != nil {
				t.Fatal(err)
			}
			dying.postpone(t, aborting)
			a = s.hold(dying, refunding)
			if _, err := dying.store.Commit(t.Context(), refunding, a.Attempt, []int{0}, []int{0}, store.Steps{}); err != nil {
				t.Fatal(err)
			}
			if _, err := dying.store.Cancel(t.Context(), refunding, a.Attempt); err != nil {
				t.Fatal(err)
			}
			dying.postpone(t, refunding)
			if dying.die(); recovering == nil {
				recovering = s.instances(1, servers...)[0]
			}
			for id, want := range map[string]string{
				running: store.StateOpen, aborting: store.StateOpen, refunding: store.StateCancelled,
			} {
				testredis.Eventually(t, "the order is "+want, func() bool { return recovering.stateOf(t, id) == want })
			}
			if stock, credit := s.get("{s0}i:"+item), s.get("{p0}u:"+user); stock != 10 || credit != 100 {
				t.Errorf("%d pieces and credit %d are left, want 10 and 100", stock, credit)
			}
			testredis.Eventually(t, "no reservation waits", func() bool { return recovering.orphans.Load() == 0 })
			wantRecovered(t, recovering, cluster.ShortIncarnation(dying.cluster.Incarnation()), map[string]string{
				running: store.StateOpen, aborting: store.StateOpen, refunding: store.StateCancelled,
			})
		})
	}
}

// A living instance keeps its orders even if its connections are closed, if Redis restarts or does not reply for a
// second, and if other processes start and die.
func TestOrdersOfALivingInstanceAreNotRecovered(t *testing.T) {
	t.Parallel()
	type scene struct {
		*shop
		servers    []*testredis.Server
		living     *instance
		item, user string
	}
	for what, disturb := range map[string]func(scene){
		"its connections to one shard are closed again and again": func(s scene) {
			for range 30 {
				closeConnections(s.t, s.servers[0], s.living)
				time.Sleep(50 * time.Millisecond)
			}
		},
		"all its connections are closed several times": func(s scene) {
			for range 3 {
				closeConnections(s.t, s.servers[0], s.living)
				closeConnections(s.t, s.servers[1], s.living)
				time.Sleep(500 * time.Millisecond)
			}
		},
		"Redis restarts": func(s scene) {
			for range 2 {
				s.servers[0].Kill()
				time.Sleep(300 * time.Millisecond)
				s.servers[0].Restart(s.t)
				time.Sleep(700 * time.Millisecond)
			}
		},
		"Redis does not reply": func(s scene) {
			for _, server := range s.servers {
				server.Pause()
			}
			time.Sleep(time.Second)
			for _, server := range s.servers {
				server.Resume()
			}
		},
		"other processes start and die": func(s scene) {
			for range 3 {
				next := s.instances(1, s.servers...)[0]
				s.hold(next, s.orderOn(next, 0, s.user, s.item))
				next.die()
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s, servers := openShopOf(t)
			item, user := shard.Mint(0), shard.Mint(0)
			s.set("{s0}i:"+item, 10)
			s.set("{p0}u:"+user, 100)
			both := s.instances(2, servers...)
			id := s.orderOn(both[0], 0, user, item)
			s.hold(both[0], id)
			disturb(scene{s, servers, both[0], item, user})
			time.Sleep(2 * time.Second)
			var order store.Order
			testredis.Eventually(t, "the shard replies", func() bool {
				o, err := both[1].store.Summary(t.Context(), id)
				order = o
				return err == nil
			})
			if order.State != store.StateRunning {
				t.Errorf("the order of a living instance: got %+v, want RUNNING", order)
			}
		})
	}
}

// closeConnections closes the connections of an instance to a shard.
func closeConnections(t *testing.T, server *testredis.Server, of *instance) {
	t.Helper()
	for line := range strings.Lines(server.Client.ClientList(t.Context()).Val()) {
		if !strings.Contains(line, ":"+of.cluster.Incarnation()+":") {
			continue
		}
		id, _, _ := strings.Cut(strings.TrimPrefix(line, "id="), " ")
		server.Client.ClientKillByFilter(t.Context(), "ID", id)
	}
}
