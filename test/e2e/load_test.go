package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// load is customers who fill carts, check out, sometimes cancel, and sometimes leave without an answer.
type load struct {
	*system
	put          goods
	users, items []string
	cancels      float64 // how likely a paid order is cancelled

	stopped atomic.Bool
	working sync.WaitGroup
	decided atomic.Int64 // checkouts that were answered 200 or 4xx

	mu    sync.Mutex
	tales []*history
	other []answer // to what is neither checkout nor cancel
}

// customers are as many as order carts at the same time.
const customers = 16

// open fills the shop and lets the customers in. A third of the users can pay for everything, a third for a few orders, a third for
// nothing; every fourth item is scarce.
func (s *system) open(cancels float64) *load {
	s.t.Helper()
	l := &load{system: s, put: newGoods(), users: make([]string, 30), items: make([]string, 16), cancels: cancels}
	stocked := func(list []string, i int, id string, into map[string]int64, amount int64) {
		l.mu.Lock()
		defer l.mu.Unlock()
		list[i], into[id] = id, amount
	}
	s.many(len(l.users), customers, func(i int) {
		credit := []int64{1_000_000, 150, 0}[i%3]
		stocked(l.users, i, s.newUser(credit), l.put.credit, credit)
	})
	s.many(len(l.items), customers, func(i int) {
		stock := int64(1_000_000)
		if i%4 == 3 {
			stock = 25
		}
		stocked(l.items, i, s.newItem(int64(1+i%7), stock), l.put.stock, stock)
	})
	for i := range customers {
		l.working.Go(func() { l.shop(chance(s.t, uint64(i))) })
	}
	return l
}

// shop is what one customer does until the shop closes.
func (l *load) shop(dice *rand.Rand) {
	for !l.stopped.Load() {
		user := l.users[dice.IntN(len(l.users))]
		a := l.ask("/orders/create/" + user)
		if !a.ok() {
			time.Sleep(20 * time.Millisecond) // a part is away
			continue
		}
		h := &history{order: field(a, "order_id"), user: user}
		l.mu.Lock()
		l.tales = append(l.tales, h)
		l.mu.Unlock()
		for range 1 + dice.IntN(6) {
			l.ask(fmt.Sprintf("/orders/addItem/%s/%s/%d", h.order, l.items[dice.IntN(len(l.items))], 1+dice.IntN(3)))
		}
		if l.insist(dice, func() answer { return l.checkoutOf(h) }) && dice.Float64() < l.cancels {
			l.insist(dice, func() answer { return l.cancelOf(h) })
		}
	}
}

// ask is a step on the way to a filled cart.
func (l *load) ask(path string) answer {
	a := l.call("POST", path)
	if flaw := a.flaw(); flaw != "" {
		l.t.Errorf("%s: %s", path, flaw)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.other = append(l.other, a)
	return a
}

// insist asks until it is answered, or until the customer has enough of it; it tells whether the answer was 200.
func (l *load) insist(dice *rand.Rand, ask func() answer) bool {
	for range 1 + dice.IntN(4) {
		a := ask()
		if !a.unknown() {
			l.decided.Add(1)
			return a.ok()
		}
		time.Sleep(time.Duration(dice.IntN(100)) * time.Millisecond)
	}
	return false
}

// serve waits until n more checkouts and cancels have been decided.
func (l *load) serve(n int64) {
	l.t.Helper()
	until := l.decided.Load() + n
	l.eventually(decidedWithin, fmt.Sprintf("%d more answers", n), func() error {
		if left := until - l.decided.Load(); left > 0 {
			return fmt.Errorf("%d are missing", left)
		}
		return nil
	})
}

// close lets the customers finish what they do.
func (l *load) close() {
	l.stopped.Store(true)
	l.working.Wait()
}

// closeAndCheck ends the load, waits until everything is decided, and checks all that must hold.
func (l *load) closeAndCheck() *snapshot {
	l.t.Helper()
	l.close()
	l.ready()
	l.settle()
	sn := l.check(l.put, l.tales...)
	states := map[string]int{}
	for _, o := range sn.orders {
		states[o.state]++
	}
	l.t.Logf("orders %v\ncheckouts %s\ncancels %s\nothers %s", states, tally(l.answers(func(h *history) []answer { return h.checkouts })),
		tally(l.answers(func(h *history) []answer { return h.cancels })), tally(l.other))
	return sn
}

func (l *load) answers(of func(*history) []answer) []answer {
	var all []answer
	for _, h := range l.tales {
		all = slices.Concat(all, of(h))
	}
	return all
}
