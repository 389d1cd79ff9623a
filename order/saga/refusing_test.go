package saga

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/participant"
	"checkout/common/redis"
	"checkout/common/shard"
	"checkout/common/testredis"
	"checkout/order/store"
)

// The map "refusals" has pairs of commands: the first command makes a shard refuse writes, and the second repairs the
// shard.
var refusals = map[string][2]string{
	"replica":     {"REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE"},
	"full memory": {"CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"},
	"denied":      {"ACL SETUSER default -@write", "ACL SETUSER default +@all"},
}

// While shard 0 of a service refuses writes, no checkout that needs the shard succeeds. These checkouts do not fill the
// limiter, so a checkout that does not need the shard succeeds. After the repair, recovery decides every order.
func TestShardThatRefusesWrites(t *testing.T) {
	for _, service := range []string{"order", "stock", "payment"} {
		for name, commands := range refusals {
			t.Run(service+" "+name, func(t *testing.T) {
				t.Parallel()
				s := openShards(t)
				paid := s.order(0)
				if err := s.co.Checkout(t.Context(), paid, Request{}); err != nil {
					t.Fatal(err)
				}
				bad, good := make([]string, 64), s.order(1)
				for i := range bad {
					bad[i] = s.order(0)
				}
				s.do(service, commands[0])
				s.checkoutAll(bad, good)
				purchase := s.co.Payment(t.Context(), api.Cancel{OrderID: paid, UserID: fixed(0)})
				cancel := api.Cancel{OrderID: paid, UserID: fixed(0), Attempt: purchase.Attempt}
				cancelled := s.co.Cancel(t.Context(), cancel)
				if purchase.Payment != api.Paid {
					t.Errorf("payment of the paid order: got %v, want Paid; the cancellation returned %v", purchase, cancelled)
				}
				if refunds := name == "full memory" && service != "order"; (cancelled == api.Cancelled) != refunds ||
					!refunds && cancelled != api.PaymentUnavailable {
					t.Errorf("cancellation: got %v; shard can refund: %v; want Cancelled if it can, else PaymentUnavailable",
						cancelled, refunds)
				}
				s.do(service, commands[1])
				s.recover()
			})
		}
	}
}

// The type "shards" is a coordinator with two shards of each service. Items, users and orders with the number i are on
// shard i of their service.
type shards struct {
	t        *testing.T
	servers  map[string][]*testredis.Server
	clusters map[string]*cluster.Cluster
	store    *store.Store
	co       *Coordinator
}

func openShards(t *testing.T) *shards {
	t.Helper()
	s := &shards{t: t, servers: map[string][]*testredis.Server{}, clusters: map[string]*cluster.Cluster{}}
	open := func(service string, scripts []*redis.Script) *cluster.Cluster {
		c, servers := testredis.Open(t, service, 2, scripts)
		s.servers[service], s.clusters[service] = servers, c
		return c
	}
	s.store = store.New(open("order", store.Scripts))
	stock := &lossy{Reservations: participant.NewReservations(open("stock", participant.Scripts), "i:")}
	payment := &lossy{Reservations: participant.NewReservations(open("payment", participant.Scripts), "u:")}
	s.co = New(s.store, stock, payment)
	s.co.limiter = limiter{make(chan struct{}, 16), time.Hour} // a busy machine may be slow
	s.co.total.after = time.Minute
	for i := range 2 {
		s.servers["stock"][i].Client.Set(t.Context(), fmt.Sprintf("{s%d}i:%s", i, fixed(i)), 1_000_000, 0)
		s.servers["payment"][i].Client.Set(t.Context(), fmt.Sprintf("{p%d}u:%s", i, fixed(i)), 1_000_000, 0)
	}
	return s
}

// The function "fixed" returns the ID of item i and of user i, which are on shard i.
func fixed(i int) string { return fmt.Sprintf("01890a5d-ac96-774b-bcce-b302099a%04x", i) }

// order creates an order on shard i for user i, with one piece of item i.
func (s *shards) order(i int) string {
	s.t.Helper()
	id := shard.Mint(i)
	err := errors.Join(s.store.Create(s.t.Context(), nil, id, fixed(i)),
		s.store.AddItem(s.t.Context(), nil, id, fixed(i), 1, 1))
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

// The method "do" runs commands, separated by ";", on shard 0 of a service.
func (s *shards) do(service, commands string) {
	s.t.Helper()
	for command := range strings.SplitSeq(commands, ";") {
		var args []any
		for _, word := range strings.Fields(command) {
			args = append(args, word)
		}
		if err := s.servers[service][0].Client.Do(s.t.Context(), args...).Err(); err != nil {
			s.t.Fatal(err)
		}
	}
}

// checkoutAll checks out all given orders concurrently. Only the bad orders need the shard that refuses writes.
func (s *shards) checkoutAll(bad []string, good string) {
	var working sync.WaitGroup
	for _, id := range bad {
		working.Go(func() {
			err := s.co.Checkout(s.t.Context(), id, Request{})
			if !errors.Is(err, api.Unavailable) && !errors.Is(err, api.AttemptClosed) {
				s.t.Errorf("checkout that needs the shard: got %v, want Unavailable or AttemptClosed", err)
			}
		})
	}
	if err := s.co.Checkout(s.t.Context(), good, Request{}); err != nil {
		s.t.Errorf("checkout that does not need the shard: got %v, want success", err)
	}
	working.Wait()
}

// The method "recover" runs recovery workers until every order is decided.
func (s *shards) recover() {
	s.t.Helper()
	ctx, stop := context.WithCancel(s.t.Context())
	var recovering sync.WaitGroup
	recovering.Go(func() { NewRecovery(s.co).Run(ctx) })
	defer recovering.Wait()
	defer stop()
	testredis.Eventually(s.t, "every order is decided", func() bool {
		makeDue(s.t, s.servers["order"][0].Client, "{o0}")
		n, err := s.servers["order"][0].Client.ZCard(ctx, "{o0}undecided").Result()
		return err == nil && n == 0
	})
}
