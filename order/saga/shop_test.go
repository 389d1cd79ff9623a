package saga

import (
	"context"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/participant"
	"checkout/common/redis"
	"checkout/common/shard"
	"checkout/common/testredis"
	"checkout/order/store"
)

// shop is a coordinator, with the shards of order, stock and payment.
type shop struct {
	t              *testing.T
	clients        map[string]*goredis.Client // by the hash tag of the shard
	store          *store.Store
	stock, payment *lossy
	co             *Coordinator
}

func openShop(t *testing.T) *shop {
	t.Helper()
	return openShopWith(t, 1)
}

// openShopWith opens a shop with the given number of stock shards, and one shard each of order and payment.
func openShopWith(t *testing.T, stockShards int) *shop {
	t.Helper()
	s := &shop{t: t, clients: map[string]*goredis.Client{}}
	open := func(name string, shards int, scripts []*redis.Script) *cluster.Cluster {
		c, servers := testredis.Open(t, name, shards, scripts)
		for i, server := range servers {
			s.clients[c.Shards()[i].Key("")] = server.Client
		}
		return c
	}
	s.store = store.New(open("order", 1, store.Scripts))
	s.stock = &lossy{Reservations: participant.NewReservations(open("stock", stockShards, participant.Scripts), "i:")}
	s.payment = &lossy{Reservations: participant.NewReservations(open("payment", 1, participant.Scripts), "u:")}
	s.co = New(s.store, s.stock, s.payment)
	return s
}

// The type "lossy" is a participant that randomly loses messages and replies, and randomly kills the coordinator that
// calls it.
type lossy struct {
	*participant.Reservations
	mu         sync.Mutex
	lose, kill float64 // probabilities
	down       bool    // whether every message is lost
	loseNext   int     // how many of the next messages and replies are lost
	messages   int
	onReserve  func()       // called before a reservation, unless nil
	waits      atomic.Int32 // reserve messages with the field Wait set
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
	l.messages++
	if rand.Float64() < l.kill {
		runtime.Goexit() // the coordinator dies between two steps; the deferred call unlocks the mutex
	}
	if l.loseNext > 0 {
		l.loseNext--
		return true
	}
	return l.down || rand.Float64() < l.lose
}

func (l *lossy) set(lose, kill float64, down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lose, l.kill, l.down = lose, kill, down
}

func (l *lossy) Reserve(ctx context.Context, a api.Attempt) api.Outcome {
	if l.onReserve != nil {
		l.onReserve()
	}
	if a.Wait {
		l.waits.Add(1)
	}
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

// The method "at" returns the client of the shard that has the given key.
func (s *shop) at(key string) *goredis.Client {
	tag, _, _ := strings.Cut(key, "}")
	return s.clients[tag+"}"]
}

// set sets a counter.
func (s *shop) set(key string, amount int64) {
	s.at(key).Set(context.Background(), key, amount, 0)
}

// get returns a counter.
func (s *shop) get(key string) int64 {
	n, err := s.at(key).Get(context.Background(), key).Int64()
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// makeDue makes each undecided order of a shard due, as if each lease and each claim of recovery had expired.
func makeDue(t *testing.T, client *goredis.Client, tag string) {
	t.Helper()
	for _, id := range client.ZRange(t.Context(), tag+"undecided", 0, -1).Val() {
		if client.HExists(t.Context(), tag+"o:"+id, "lease").Val() {
			client.HSet(t.Context(), tag+"o:"+id, "lease", 0)
		}
		client.ZAddXX(t.Context(), tag+"undecided", goredis.Z{Member: id})
	}
}

// order creates an order of a user. Each piece costs 2.
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
