package saga

import (
	"context"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/env"
	"checkout/common/participant"
	"checkout/common/redis"
	"checkout/common/shard"
	"checkout/common/testredis"
	"checkout/order/store"
)

// shop is a coordinator with real stores on one real Redis: order, stock and payment.
type shop struct {
	t              *testing.T
	client         *goredis.Client
	store          *store.Store
	stock, payment *lossy
	co             *Coordinator
}

func openShop(t *testing.T) *shop {
	t.Helper()
	return openShopOf(t, 1)
}

// openShopOf opens a shop with so many shards of stock, and one of order and payment, all of them in one Redis.
func openShopOf(t *testing.T, stockShards int) *shop {
	t.Helper()
	server := testredis.Start(t)
	open := func(name string, shards int, scripts []*redis.Script) *cluster.Cluster {
		db := cluster.Open(name, env.Redis{Addrs: slices.Repeat([]string{server.Addr}, shards)}, scripts)
		t.Cleanup(db.Close)
		down := func(s *redis.Shard) bool { return !s.Healthy() }
		for start := time.Now(); slices.ContainsFunc(db.Shards(), down) || db.Modulus() == 0; time.Sleep(time.Millisecond) {
			if time.Since(start) > 10*time.Second {
				t.Fatal("the shard does not come up")
			}
		}
		return db
	}
	s := &shop{t: t, client: server.Client, store: store.New(open("order", 1, store.Scripts))}
	s.stock = &lossy{Reservations: participant.NewReservations(open("stock", stockShards, participant.Scripts), "i:")}
	s.payment = &lossy{Reservations: participant.NewReservations(open("payment", 1, participant.Scripts), "u:")}
	s.co = New(s.store, s.stock, s.payment)
	return s
}

// lossy is a participant that, now and then, does not get a message, loses its answer, or kills the coordinator that calls it.
type lossy struct {
	*participant.Reservations
	mu         sync.Mutex
	lose, kill float64 // probabilities
	away       bool    // answers nothing, does nothing
	asked      int
	released   atomic.Int32 // releases that arrived
}

func (l *lossy) call(step func() api.Outcome) api.Outcome {
	if l.fails() {
		return api.Outcome{}
	}
	outcome := step()
	if l.fails() {
		return api.Outcome{}
	}
	return outcome
}

func (l *lossy) fails() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	if rand.Float64() < l.kill {
		runtime.Goexit() // the coordinator's goroutine ends here, as by SIGKILL between two steps; the mutex is freed as it goes
	}
	return l.away || rand.Float64() < l.lose
}

func (l *lossy) set(lose, kill float64, away bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lose, l.kill, l.away = lose, kill, away
}

func (l *lossy) Reserve(ctx context.Context, a api.Attempt) api.Outcome {
	return l.call(func() api.Outcome { return l.Reservations.Reserve(ctx, []api.Attempt{a})[0] })
}

func (l *lossy) Release(ctx context.Context, a api.Attempt) api.Outcome {
	return l.call(func() api.Outcome { l.released.Add(1); return l.Reservations.Release(ctx, []api.Attempt{a})[0] })
}

func (l *lossy) Refund(ctx context.Context, a api.Attempt) api.Outcome {
	return l.call(func() api.Outcome { return l.Reservations.Refund(ctx, []api.Attempt{a})[0] })
}

func (l *lossy) Confirm(ctx context.Context, list []api.Confirmation) ([]api.Done, error) {
	return l.Reservations.Confirm(ctx, list), nil
}

func (s *shop) set(key string, amount int64) {
	s.client.Set(context.Background(), key, amount, 0)
}

func (s *shop) get(key string) int64 {
	n, err := s.client.Get(context.Background(), key).Int64()
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// order makes an order of a user: pieces of items at price 2 each.
func (s *shop) order(user string, items map[string]int64) string {
	s.t.Helper()
	id := shard.Mint(0)
	if err := s.store.Create(context.Background(), nil, id, user); err != nil {
		s.t.Fatal(err)
	}
	for item, quantity := range items {
		if err := s.store.AddItem(context.Background(), nil, id, item, quantity, 2); err != nil {
			s.t.Fatal(err)
		}
	}
	return id
}

func (s *shop) state(id string) string {
	o, err := s.store.Find(context.Background(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return o.State
}
