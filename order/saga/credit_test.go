package saga

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"checkout/common/api"
	"checkout/common/shard"
	"checkout/common/testredis"
	"checkout/order/store"
)

// With the normal limits, a reply could become too old during a test on a busy machine. The coordinator would then send
// more messages than the test expects.
func init() { creditFresh, creditTrusted = time.Hour, 2*time.Hour }

// If payment loses a reservation while stock is slow, the order must not be paid.
func TestLostCreditIsNotCommitted(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name string
		slow bool // whether stock replies so late that the coordinator reserves the credit again
		lose bool // whether payment loses the user and the reservation meanwhile
		want error

		state string
		asked int // smallest number of messages to payment plus replies from payment
		left  int64
	}{
		{"stock is fast", false, false, nil, store.StatePaid, 2, 4},
		{"stock is slow", true, false, nil, store.StatePaid, 4, 4},
		{"stock is slow, and payment loses its data", true, true, api.UserNotFound, store.StateOpen, 6, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := openShop(t)
			item, user := shard.Mint(0), shard.Mint(0)
			s.set("{s0}i:"+item, 5)
			s.set("{p0}u:"+user, 10)
			s.stock.onReserve = func() {
				if c.slow {
					s.co.creditReplies.expire()
				}
				if c.lose {
					s.losePayment()
				}
			}
			id := s.order(user, map[string]int64{item: 1})
			if err := s.co.Checkout(ctx, id, Request{}); !errors.Is(err, c.want) || s.state(id) != c.state {
				t.Errorf("checkout: got %v, order %s; want %v, %s", err, s.state(id), c.want, c.state)
			}
			if left := s.get("{s0}i:" + item); left != c.left || s.payment.messages < c.asked {
				t.Errorf("got %d pieces left, %d messages to and from payment; want %d, at least %d",
					left, s.payment.messages, c.left, c.asked)
			}
		})
	}
}

// expire makes all replies older than creditFresh.
func (r *replies) expire() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.sent)
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

// payments is a participant that replies RESERVED to every message. It counts the messages.
type payments struct {
	Participant
	reserves int
}

func (p *payments) Reserve(context.Context, api.Attempt) api.Outcome {
	p.reserves++
	return api.Outcome{Code: api.Reserved}
}

// If a reservation is recent, a recent reply for any attempt saves a second message to payment.
func TestRepliesOfOtherAttemptsMakeCreditFresh(t *testing.T) {
	for _, c := range []struct {
		name            string
		reserved, reply time.Duration // ages of the attempt's own reservation, and of the last reply for another attempt
		asks            int           // number of messages to payment
	}{
		{"own reply", 0, 2 * creditFresh, 0},
		{"fresh reply", creditTrusted - 1, creditFresh - 1, 0},
		{"old reply", creditTrusted - 1, creditFresh, 1},
		{"old reservation", creditTrusted, 0, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			payment := &payments{}
			co, now := &Coordinator{payment: payment, Metrics: newMetrics()}, time.Now()
			a := &attempt{creditReserved: now.Add(-c.reserved)}
			// The oldest time is recorded last. It must not replace a newer one.
			for _, age := range []time.Duration{c.reserved, c.reply, max(c.reserved, c.reply)} {
				co.creditReplies.record([]int{0}, now.Add(-age))
			}
			co.recheckCredit(t.Context(), a, api.Outcome{Code: api.Reserved, Shards: []int{0}})
			if payment.reserves != c.asks {
				t.Errorf("%s: payment got %d messages, want %d", c.name, payment.reserves, c.asks)
			}
		})
	}
}
