package saga

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/shard"
	"checkout/common/testredis"
	"checkout/order/store"
)

// If payment loses a reservation while stock is slow, the order must not be paid.
func TestLostCreditIsNotCommitted(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name  string
		stock time.Duration // how long stock takes to reply
		lose  bool          // whether payment loses the user and the reservation meanwhile
		want  error
		state string
		asked int // smallest number of messages to payment
		left  int64
	}{
		{"stock is fast", 0, false, nil, store.StatePaid, 1, 4},
		{"stock is slow", 2 * creditFresh, false, nil, store.StatePaid, 2, 4},
		{"stock is slow, and payment loses its data", 2 * creditFresh, true, api.UserNotFound, store.StateOpen, 3, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := openShop(t)
			item, user := shard.Mint(0), shard.Mint(0)
			s.set("{s0}i:"+item, 5)
			s.set("{p0}u:"+user, 10)
			s.stock.onReserve = func() {
				time.Sleep(c.stock)
				if c.lose {
					s.losePayment()
				}
			}
			id := s.order(user, map[string]int64{item: 1})
			if err := s.co.Checkout(ctx, id, Request{}); !errors.Is(err, c.want) || s.state(id) != c.state {
				t.Errorf("checkout: got %v, order %s; want %v, %s", err, s.state(id), c.want, c.state)
			}
			if left := s.get("{s0}i:" + item); left != c.left || s.payment.messages < c.asked {
				t.Errorf("%d pieces left, %d messages to payment; want %d, at least %d", left, s.payment.messages, c.left, c.asked)
			}
		})
	}
}

// losePayment deletes the data of the payment shard.
func (s *shop) losePayment() {
	ctx := context.Background()
	s.at("{p0}").Del(ctx, slices.DeleteFunc(s.at("{p0}").Keys(ctx, "*").Val(), testredis.ShardKey)...)
}

// A coordinator dies after it has reserved stock, and payment loses its data. If payment then refuses the resumed
// attempt, the stock is released.
func TestRefusedResumedAttemptHoldsNoStock(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name   string
		credit int64 // the user's credit after the loss, 0 for no user
		want   error
	}{
		{"no user", 0, api.UserNotFound},
		{"too little credit", 1, api.InsufficientCredit},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := openShop(t)
			item, user := shard.Mint(0), shard.Mint(0)
			s.set("{s0}i:"+item, 5)
			s.set("{p0}u:"+user, 10)
			id, request := s.order(user, map[string]int64{item: 1}), "0123456789abcdef0123456789abcdef"
			begun, err := s.store.Begin(ctx, id, mintAttempt(request), "")
			a := newAttempt(id, begun)
			credit, stock := s.payment.Reserve(ctx, a.credit()), s.stock.Reserve(ctx, a.stock())
			if err != nil || credit.Code != api.Reserved || stock.Code != api.Reserved {
				t.Fatal(err, credit, stock)
			}
			s.losePayment()
			if c.credit > 0 {
				s.set("{p0}u:"+user, c.credit)
			}
			err = s.co.Checkout(ctx, id, Request{Name: request})
			undecided := s.at("{o0}").ZCard(ctx, "{o0}undecided").Val()
			if !errors.Is(err, c.want) || s.state(id) != store.StateOpen || undecided != 0 {
				t.Errorf("resumed checkout: got %v, %s, %d undecided; want %v, OPEN, 0", err, s.state(id), undecided, c.want)
			}
			if left := s.get("{s0}i:" + item); left != 5 {
				t.Errorf("%d pieces left, want 5", left)
			}
		})
	}
}

// For one second after a reservation, replies for other attempts show that the shard still has its data.
func TestRepliesOfOtherAttemptsMakeCreditFresh(t *testing.T) {
	s := openShop(t)
	now := time.Now()
	a := &attempt{creditReserved: now.Add(-creditTrusted / 2)}
	credit := api.Outcome{Code: api.Reserved, Shards: []int{0}}
	s.payment.set(1, 0, false) // every message is lost, so a repeated reservation has an unknown outcome
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	s.co.creditReplies.record([]int{0}, now.Add(-creditTrusted/2))
	if got := s.co.recheckCredit(ctx, a, credit); got.Code != api.Unknown {
		t.Errorf("recheck without a fresh reply: got %+v, want UNKNOWN", got)
	}
	s.co.creditReplies.record([]int{0}, time.Now())
	s.co.creditReplies.record([]int{0}, now.Add(-creditTrusted/2)) // a late reply
	if got := s.co.recheckCredit(ctx, a, credit); got.Code != api.Reserved {
		t.Errorf("recheck after a fresh reply: got %+v, want RESERVED", got)
	}
	a.creditReserved = now.Add(-creditTrusted)
	if got := s.co.recheckCredit(ctx, a, credit); got.Code != api.Unknown {
		t.Errorf("recheck %v after the reservation: got %+v, want UNKNOWN", creditTrusted, got)
	}
}
