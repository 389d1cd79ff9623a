package saga

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/shard"
	"checkout/common/web"
	"checkout/order/store"
)

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
		{"paid", 5, 10, user, item, 3, nil, store.StatePaid, 2, 4},
		{"all of it", 5, 10, user, item, 5, nil, store.StatePaid, 0, 0},
		{"too little credit", 5, 9, user, item, 5, api.InsufficientCredit, store.StateOpen, 5, 9},
		{"too little stock", 4, 10, user, item, 5, api.InsufficientStock, store.StateOpen, 4, 10},
		{"neither", 4, 9, user, item, 5, api.InsufficientCredit, store.StateOpen, 4, 9},
		{"no such user", 5, 10, shard.Mint(0), item, 5, api.UserNotFound, store.StateOpen, 5, 10},
		{"a user id that nobody can have", 5, 10, "no user\n", item, 5, api.UserNotFound, store.StateOpen, 5, 10},
		{"no such item", 5, 10, user, shard.Mint(0), 5, api.ItemNotFound, store.StateOpen, 5, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.set(itemKey, c.stock)
			s.set(userKey, c.credit)
			id := s.order(c.user, map[string]int64{c.item: c.quantity})
			for i := range 2 { // the second checkout is a new attempt, or finds the order paid
				if err := s.co.Checkout(ctx, id, Request{}); !errors.Is(err, c.want) {
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
			if err := s.co.Checkout(ctx, id, Request{}); !errors.Is(err, api.InsufficientStock) || s.state(id) != store.StateOpen {
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
	if err := s.co.Checkout(context.Background(), id, Request{}); err != nil || s.state(id) != store.StatePaid {
		t.Errorf("got %v, %s", err, s.state(id))
	}
	ca := s.co
	if got := s.cancel(ca, id, "nobody"); got != api.Cancelled || s.state(id) != store.StateCancelled {
		t.Errorf("cancelled: %v, %s", got, s.state(id))
	}
	if err := s.co.Checkout(context.Background(), id, Request{}); !errors.Is(err, api.OrderCancelled) {
		t.Errorf("checkout of a cancelled order: %v", err)
	}
}

// cancel undoes what has paid an order, if a checkout of the user has.
func (s *shop) cancel(ca *Coordinator, id, user string) api.OrderPayment {
	ask := api.Cancel{OrderID: id, UserID: user}
	ask.Attempt = ca.Payment(context.Background(), ask).Attempt
	return ca.Cancel(context.Background(), ask)
}

// A cancel that was held up, sent when the order was not paid, or paid by another attempt, cancels nothing.
func TestALateCancelUndoesNoOtherAttempt(t *testing.T) {
	s := openShop(t)
	ca := s.co
	id := s.order("nobody", nil)
	if err := s.co.Checkout(context.Background(), id, Request{}); err != nil {
		t.Fatal(err)
	}
	for _, attempt := range []string{"", "another"} {
		if got := ca.Cancel(context.Background(), api.Cancel{OrderID: id, UserID: "nobody", Attempt: attempt}); got != api.NotPaid || s.state(id) != store.StatePaid {
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
	go func() { answered <- s.co.Checkout(context.Background(), id, Request{}) }()
	deadline := time.Now().Add(10 * time.Second)
	for s.state(id) != store.StateAborting {
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
	if left, money := s.get("{s0}i:"+item), s.get("{p0}u:"+user); left != 5 || money != 10 || s.state(id) != store.StateOpen {
		t.Errorf("%s, stock %d, credit %d", s.state(id), left, money)
	}
	if err := s.co.Checkout(context.Background(), id, Request{}); err != nil {
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
		NewRecovery(s.co).Run(ctx)
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
			co := New(s.store, s.stock, s.payment)
			if i%10 == 9 {
				o, _ := s.store.Find(ctx, answer.id)
				answer.cancelled = s.cancel(co, answer.id, o.User) == api.Cancelled
				return
			}
			answer.err = co.Checkout(ctx, answer.id, Request{})
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
		o, err := s.store.Find(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		paid[id] = o.State
		if o.State != store.StatePaid {
			continue
		}
		spent[o.User] += o.Total
		for _, line := range o.Lines {
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
			if state != store.StatePaid && state != store.StateCancelled {
				t.Errorf("order %s was said to be paid and is %s", a.id, state)
			}
		case a.answered:
			outcomes[strconv.Itoa(web.Status(a.err))]++
		case a.cancelled:
			outcomes["cancelled"]++
			if state != store.StateCancelled {
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
