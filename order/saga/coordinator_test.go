package saga

import (
	"context"
	"errors"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/shard"
	"checkout/common/testredis"
	"checkout/order/store"
)

func TestCheckoutOutcomes(t *testing.T) {
	t.Parallel()
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
		{"paid with all stock and credit", 5, 10, user, item, 5, nil, store.StatePaid, 0, 0},
		{"insufficient credit", 5, 9, user, item, 5, api.InsufficientCredit, store.StateOpen, 5, 9},
		{"insufficient stock", 4, 10, user, item, 5, api.InsufficientStock, store.StateOpen, 4, 10},
		{"insufficient credit and stock", 4, 9, user, item, 5, api.InsufficientCredit, store.StateOpen, 4, 9},
		{"user not found", 5, 10, shard.Mint(0), item, 5, api.UserNotFound, store.StateOpen, 5, 10},
		{"invalid user id", 5, 10, "no user\n", item, 5, api.UserNotFound, store.StateOpen, 5, 10},
		{"item not found", 5, 10, user, shard.Mint(0), 5, api.ItemNotFound, store.StateOpen, 5, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.set(itemKey, c.stock)
			s.set(userKey, c.credit)
			id := s.order(c.user, map[string]int64{c.item: c.quantity})
			for i := range 2 { // the second checkout begins a new attempt, or finds the order paid
				if err := s.co.Checkout(ctx, id, Request{}); !errors.Is(err, c.want) {
					t.Errorf("checkout %d: got %v, want %v", i+1, err, c.want)
				}
				left, money := s.get(itemKey), s.get(userKey)
				if s.state(id) != c.state || left != c.left || money != c.money {
					t.Errorf("checkout %d: %s, stock %d, credit %d; want %s, %d, %d",
						i+1, s.state(id), left, money, c.state, c.left, c.money)
				}
			}
		})
	}
	if n := s.at("{o0}").ZCard(ctx, "{o0}undecided").Val(); n != 0 {
		t.Errorf("%d orders are undecided, want 0", n)
	}
}

// If an attempt has only one stock shard and that shard has refused, stock needs no release. If the attempt has several
// stock shards, the other shards may have reserved pieces.
func TestRefusalByTheOnlyStockShardNeedsNoRelease(t *testing.T) {
	t.Parallel()
	s := openShopWith(t, 2)
	ctx := context.Background()
	available, lacking, user := shard.Mint(0), shard.Mint(1), shard.Mint(0)
	for _, c := range []struct {
		name     string
		items    map[string]int64
		released int32
	}{
		{"one shard", map[string]int64{lacking: 2}, 0},
		{"two shards", map[string]int64{available: 1, lacking: 2}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.set("{s0}i:"+available, 1)
			s.set("{s1}i:"+lacking, 1)
			s.set("{p0}u:"+user, 10)
			s.stock.released.Store(0)
			s.payment.released.Store(0)
			id := s.order(user, c.items)
			if err := s.co.Checkout(ctx, id, Request{}); !errors.Is(err, api.InsufficientStock) ||
				s.state(id) != store.StateOpen {
				t.Errorf("checkout: got %v, %s; want insufficient-stock, OPEN", err, s.state(id))
			}
			if stock, payment := s.stock.released.Load(), s.payment.released.Load(); stock != c.released || payment != 1 {
				t.Errorf("releases: got %d of stock, %d of payment; want %d, 1", stock, payment, c.released)
			}
			left, other, money := s.get("{s0}i:"+available), s.get("{s1}i:"+lacking), s.get("{p0}u:"+user)
			if left != 1 || other != 1 || money != 10 {
				t.Errorf("after the refusal: %d pieces on shard 0, %d on shard 1, credit %d; want 1, 1, 10",
					left, other, money)
			}
		})
	}
}

// While stock is down, the coordinator aborts an attempt when the time budget of its reservations ends. The attempt's
// credit stays reserved until stock has recorded the release.
func TestAbortKeepsCreditUntilStockReplies(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	item, user := shard.Mint(0), shard.Mint(0)
	s.set("{s0}i:"+item, 5)
	s.set("{p0}u:"+user, 10)
	s.stock.set(0, 0, true)
	s.co.forward.after, s.co.total.after = time.Hour, 2*time.Hour
	s.stock.onReserve = func() { // the credit is reserved; now the time budget ends
		s.co.forward.cancel()
		s.co.forward.shared = time.Time{} // the second checkout gets another context
	}
	id := s.order(user, map[string]int64{item: 1})
	result := make(chan error)
	go func() { result <- s.co.Checkout(context.Background(), id, Request{}) }()
	testredis.Eventually(t, "the order is ABORTING", func() bool { return s.state(id) == store.StateAborting })
	if money := s.get("{p0}u:" + user); money != 8 {
		t.Errorf("credit before stock has replied: got %d, want 8, because 2 are still reserved", money)
	}
	s.stock.set(0, 0, false)
	if err := <-result; !errors.Is(err, api.AttemptClosed) {
		t.Errorf("first checkout: got %v, want the attempt closed", err)
	}
	if left, money := s.get("{s0}i:"+item), s.get("{p0}u:"+user); left != 5 || money != 10 ||
		s.state(id) != store.StateOpen {
		t.Errorf("after the release: order %s, stock %d, credit %d; want OPEN, 5, 10", s.state(id), left, money)
	}
	s.stock.onReserve = nil
	if err := s.co.Checkout(context.Background(), id, Request{}); err != nil {
		t.Errorf("second checkout: got %v, want success", err)
	}
}
