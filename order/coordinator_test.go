package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"checkout/common/api"
	"checkout/common/env"
	"checkout/common/participant"
	"checkout/common/redisdb"
	"checkout/common/shard"
	"checkout/common/testredis"
)

// shop is a coordinator with real stores on one real Redis: order, stock and payment.
type shop struct {
	t              *testing.T
	client         *redis.Client
	store          *store
	stock, payment *lossy
	co             *coordinator
}

func openShop(t *testing.T) *shop {
	t.Helper()
	return openShopOf(t, 1)
}

// openShopOf opens a shop with so many shards of stock, and one of order and payment, all of them in one Redis.
func openShopOf(t *testing.T, stockShards int) *shop {
	t.Helper()
	server := testredis.Start(t)
	open := func(name string, shards int, scripts []*redisdb.Script) *redisdb.DB {
		db, err := redisdb.Open(name, env.Redis{Addrs: slices.Repeat([]string{server.Addr}, shards)}, scripts)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(db.Close)
		down := func(s *redisdb.Shard) bool { return !s.Up() }
		for start := time.Now(); slices.ContainsFunc(db.Shards(), down) || db.Modulus() == 0; time.Sleep(time.Millisecond) {
			if time.Since(start) > 10*time.Second {
				t.Fatal("the shard does not come up")
			}
		}
		return db
	}
	s := &shop{t: t, client: server.Client, store: &store{open("order", 1, scripts)}}
	s.stock = &lossy{Store: participant.NewStore(open("stock", stockShards, participant.Scripts), "i:")}
	s.payment = &lossy{Store: participant.NewStore(open("payment", 1, participant.Scripts), "u:")}
	s.co = newCoordinator(s.store, s.stock, s.payment)
	return s
}

// lossy is a participant that, now and then, does not get a message, loses its answer, or kills the coordinator that calls it.
type lossy struct {
	*participant.Store
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
	return l.call(func() api.Outcome { return l.Store.Reserve(ctx, []api.Attempt{a})[0] })
}

func (l *lossy) Release(ctx context.Context, a api.Attempt) api.Outcome {
	return l.call(func() api.Outcome { l.released.Add(1); return l.Store.Release(ctx, []api.Attempt{a})[0] })
}

func (l *lossy) Refund(ctx context.Context, a api.Attempt) api.Outcome {
	return l.call(func() api.Outcome { return l.Store.Refund(ctx, []api.Attempt{a})[0] })
}

func (l *lossy) Confirm(ctx context.Context, list []api.Confirmation) ([]api.Done, error) {
	return l.Store.Confirm(ctx, list), nil
}

func (s *shop) set(key string, amount int64) {
	s.client.HSet(context.Background(), key, "n", amount)
}

func (s *shop) get(key string) int64 {
	n, err := s.client.HGet(context.Background(), key, "n").Int64()
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// order makes an order of a user: pieces of items at price 2 each.
func (s *shop) order(user string, items map[string]int64) string {
	s.t.Helper()
	id := shard.Mint(0)
	if err := s.store.create(context.Background(), nil, id, user); err != nil {
		s.t.Fatal(err)
	}
	for item, quantity := range items {
		if err := s.store.addItem(context.Background(), nil, id, item, quantity, 2); err != nil {
			s.t.Fatal(err)
		}
	}
	return id
}

func (s *shop) state(id string) string {
	o, err := s.store.find(context.Background(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return o.state
}

func TestCheckoutAnswers(t *testing.T) {
	s := openShop(t)
	ctx := context.Background()
	item, user := shard.Mint(0), shard.Mint(0)
	itemKey, userKey := "{s0}i:"+item, "{p0}u:"+user
	for _, c := range []struct {
		name          string
		stock, credit int64
		user, item    string
		quantity      int64
		want          error
		state         string
		left, money   int64
	}{
		{"paid", 5, 10, user, item, 3, nil, statePaid, 2, 4},
		{"all of it", 5, 10, user, item, 5, nil, statePaid, 0, 0},
		{"too little credit", 5, 9, user, item, 5, api.InsufficientCredit, stateOpen, 5, 9},
		{"too little stock", 4, 10, user, item, 5, api.InsufficientStock, stateOpen, 4, 10},
		{"neither", 4, 9, user, item, 5, api.InsufficientCredit, stateOpen, 4, 9},
		{"no such user", 5, 10, shard.Mint(0), item, 5, api.UserNotFound, stateOpen, 5, 10},
		{"a user id that nobody can have", 5, 10, "no user\n", item, 5, api.UserNotFound, stateOpen, 5, 10},
		{"no such item", 5, 10, user, shard.Mint(0), 5, api.ItemNotFound, stateOpen, 5, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.set(itemKey, c.stock)
			s.set(userKey, c.credit)
			id := s.order(c.user, map[string]int64{c.item: c.quantity})
			for i := range 2 { // the second checkout is a new attempt, or finds the order paid
				if err := s.co.checkout(ctx, id, ""); !errors.Is(err, c.want) {
					t.Errorf("checkout %d: got %v, want %v", i+1, err, c.want)
				}
				if left, money := s.get(itemKey), s.get(userKey); s.state(id) != c.state || left != c.left || money != c.money {
					t.Errorf("checkout %d: %s, stock %d, credit %d; want %s, %d, %d", i+1, s.state(id), left, money, c.state, c.left, c.money)
				}
			}
		})
	}
	if n := s.client.ZCard(ctx, "{o0}undecided").Val(); n != 0 {
		t.Errorf("%d orders are undecided", n)
	}
}

// A refusal that stock's only shard has recorded needs no release; where there are several, the others may have taken something.
func TestWhatStockRefused(t *testing.T) {
	s := openShopOf(t, 2)
	ctx := context.Background()
	plenty, lacking, user := shard.Mint(0), shard.Mint(1), shard.Mint(0)
	for _, c := range []struct {
		name     string
		items    map[string]int64
		released int32
	}{
		{"one shard", map[string]int64{lacking: 2}, 0},
		{"two shards", map[string]int64{plenty: 1, lacking: 2}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.set("{s0}i:"+plenty, 1)
			s.set("{s1}i:"+lacking, 1)
			s.set("{p0}u:"+user, 10)
			s.stock.released.Store(0)
			s.payment.released.Store(0)
			id := s.order(user, c.items)
			if err := s.co.checkout(ctx, id, ""); !errors.Is(err, api.InsufficientStock) || s.state(id) != stateOpen {
				t.Errorf("%v, %s", err, s.state(id))
			}
			if stock, payment := s.stock.released.Load(), s.payment.released.Load(); stock != c.released || payment != 1 {
				t.Errorf("stock was asked to release %d times, payment %d; want %d, 1", stock, payment, c.released)
			}
			if left, other, money := s.get("{s0}i:"+plenty), s.get("{s1}i:"+lacking), s.get("{p0}u:"+user); left != 1 || other != 1 || money != 10 {
				t.Errorf("left: %d, %d pieces, credit %d", left, other, money)
			}
		})
	}
}

func TestCheckoutOfAnEmptyOrder(t *testing.T) {
	s := openShop(t)
	id := s.order("nobody", nil)
	if err := s.co.checkout(context.Background(), id, ""); err != nil || s.state(id) != statePaid {
		t.Errorf("got %v, %s", err, s.state(id))
	}
	ca := &canceller{coordinator: s.co}
	if got := s.cancel(ca, id, "nobody"); got != api.Cancelled || s.state(id) != stateCancelled {
		t.Errorf("cancelled: %v, %s", got, s.state(id))
	}
	if err := s.co.checkout(context.Background(), id, ""); !errors.Is(err, api.OrderCancelled) {
		t.Errorf("checkout of a cancelled order: %v", err)
	}
}

// cancel undoes what has paid an order, if a checkout of the user has.
func (s *shop) cancel(ca *canceller, id, user string) api.OrderPayment {
	ask := api.Cancel{OrderID: id, UserID: user}
	ask.Attempt = ca.payment(context.Background(), ask).Attempt
	return ca.cancel(context.Background(), ask)
}

// A cancel that was held up, sent when the order was not paid, or paid by another attempt, cancels nothing.
func TestALateCancelUndoesNoOtherAttempt(t *testing.T) {
	s := openShop(t)
	ca := &canceller{coordinator: s.co}
	id := s.order("nobody", nil)
	if err := s.co.checkout(context.Background(), id, ""); err != nil {
		t.Fatal(err)
	}
	for _, attempt := range []string{"", "another"} {
		if got := ca.cancel(context.Background(), api.Cancel{OrderID: id, UserID: "nobody", Attempt: attempt}); got != api.NotPaid || s.state(id) != statePaid {
			t.Errorf("cancel of attempt %q: %v, %s", attempt, got, s.state(id))
		}
	}
}

// A stock service that is away: credit is reserved, the attempt is given up after 4 s, and as long as stock cannot say that
// nothing is held there, the answer is that it is not known; as soon as it can, nothing is held any more.
func TestCheckoutWithStockAway(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	item, user := shard.Mint(0), shard.Mint(0)
	s.set("{s0}i:"+item, 5)
	s.set("{p0}u:"+user, 10)
	s.stock.set(0, 0, true)
	id := s.order(user, map[string]int64{item: 1})
	answered := make(chan error)
	go func() { answered <- s.co.checkout(context.Background(), id, "") }()
	deadline := time.Now().Add(10 * time.Second)
	for s.state(id) != stateAborting {
		if time.Now().After(deadline) {
			t.Fatalf("the order is %s", s.state(id))
		}
		time.Sleep(10 * time.Millisecond)
	}
	if money := s.get("{p0}u:" + user); money != 8 {
		t.Errorf("credit %d was given back before stock had answered", money)
	}
	s.stock.set(0, 0, false)
	if err := <-answered; !errors.Is(err, api.AttemptClosed) {
		t.Errorf("got %v", err)
	}
	if left, money := s.get("{s0}i:"+item), s.get("{p0}u:"+user); left != 5 || money != 10 || s.state(id) != stateOpen {
		t.Errorf("%s, stock %d, credit %d", s.state(id), left, money)
	}
	if err := s.co.checkout(context.Background(), id, ""); err != nil {
		t.Errorf("once more: %v", err)
	}
}

// Messages are lost, answers are lost, coordinators die between any two steps, orders are checked out several times at once and
// cancelled, while recovery runs: every answer is true, and nothing is lost.
func TestSagaUnderLoss(t *testing.T) {
	t.Parallel()
	const (
		orders, shelves, people = 150, 4, 10
		stock, credit           = 60, 100
	)
	s := openShop(t)
	var items, users []string
	for range shelves {
		items = append(items, shard.Mint(0))
		s.set("{s0}i:"+items[len(items)-1], stock)
	}
	for range people {
		users = append(users, shard.Mint(0))
		s.set("{p0}u:"+users[len(users)-1], credit)
	}
	s.stock.set(0.1, 0.03, false)
	s.payment.set(0.1, 0.03, false)
	ctx, stop := context.WithCancel(context.Background())
	recovering := make(chan struct{})
	go func() {
		defer close(recovering)
		newRecovery(s.co).run(ctx)
	}()
	t.Cleanup(func() { stop(); <-recovering })

	type told struct {
		id        string
		err       error
		answered  bool
		cancelled bool
	}
	answers := make([]told, 0, 3*orders)
	var mu sync.Mutex
	var working sync.WaitGroup
	limit := make(chan struct{}, 16)
	ids := make([]string, orders)
	for i := range orders {
		ids[i] = s.order(users[rand.N(people)], map[string]int64{items[rand.N(shelves)]: 1 + rand.Int64N(2), items[rand.N(shelves)]: 1})
	}
	for i := range 3 * orders {
		limit <- struct{}{}
		working.Add(1)
		go func() {
			answer := told{id: ids[rand.N(orders)]}
			defer func() { // also when the coordinator was killed
				mu.Lock()
				answers = append(answers, answer)
				mu.Unlock()
				<-limit
				working.Done()
			}()
			// Each caller is a machine of its own: nothing is shared but Redis.
			co := newCoordinator(s.store, s.stock, s.payment)
			if i%10 == 9 {
				o, _ := s.store.find(ctx, answer.id)
				answer.cancelled = s.cancel(&canceller{coordinator: co}, answer.id, o.user) == api.Cancelled
				return
			}
			answer.err = co.checkout(ctx, answer.id, "")
			answer.answered = true
		}()
	}
	working.Wait()
	s.stock.set(0, 0, false)
	s.payment.set(0, 0, false)
	for quiet := time.Now().Add(30 * time.Second); s.client.ZCard(ctx, "{o0}undecided").Val() > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(quiet) {
			t.Fatalf("undecided after 30 s: %v", s.client.ZRange(ctx, "{o0}undecided", 0, -1).Val())
		}
	}

	sold, spent, paid := map[string]int64{}, map[string]int64{}, map[string]string{}
	for _, id := range ids {
		o, err := s.store.find(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		paid[id] = o.state
		if o.state != statePaid {
			continue
		}
		spent[o.user] += o.total
		for _, line := range o.lines {
			sold[line.ItemID] += line.Quantity
		}
	}
	for _, item := range items {
		if left := s.get("{s0}i:" + item); left+sold[item] != stock || left < 0 {
			t.Errorf("item %s: %d left, %d sold, of %d", item, left, sold[item], stock)
		}
	}
	for _, user := range users {
		if left := s.get("{p0}u:" + user); left+spent[user] != credit || left < 0 {
			t.Errorf("user %s: %d left, %d spent, of %d", user, left, spent[user], credit)
		}
	}
	outcomes := map[string]int{}
	for _, a := range answers {
		switch state := paid[a.id]; {
		case a.answered && a.err == nil:
			outcomes["200"]++
			if state != statePaid && state != stateCancelled {
				t.Errorf("order %s was said to be paid and is %s", a.id, state)
			}
		case a.answered:
			outcomes[strconv.Itoa(kindOf(a.err).Status)]++
		case a.cancelled:
			outcomes["cancelled"]++
			if state != stateCancelled {
				t.Errorf("order %s was said to be cancelled and is %s", a.id, state)
			}
		default:
			outcomes["killed"]++
		}
	}
	t.Log(outcomes, fmt.Sprint(s.stock.asked, " and ", s.payment.asked, " messages"))
	if outcomes["200"] == 0 || outcomes["killed"] == 0 || outcomes["409"] == 0 {
		t.Errorf("too little happened: %v", outcomes)
	}
}

func kindOf(err error) *api.Kind {
	kind := &api.Kind{}
	errors.As(err, &kind)
	return kind
}
