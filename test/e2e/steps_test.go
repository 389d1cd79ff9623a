package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"checkout/test/check"
	"checkout/test/faultproxy"
)

// step is one call of a script on one shard: between any two of them the coordinator may die.
type step struct {
	service string
	shard   int
	script  string
}

func (st step) String() string { return fmt.Sprintf("%s %d %s", st.service, st.shard, st.script) }

// saga is one way that a checkout or a cancel takes through the steps, with a cart of an item on each shard of stock.
type saga struct {
	name   string
	credit int64 // of the user; the cart costs 7
	stock  int64 // of the second item; the cart holds 3
	cancel bool  // the order is paid before, and its cancel is what takes the steps
	steps  []step
	// From the step turns on, done, the order ends in state after; until then in state until.
	turns        step
	until, after string
	again        []string // what a client who asks again may be told
}

var sagas = []saga{
	{name: "paid", credit: 10, stock: 5, steps: []step{
		{"order", 0, "begin"}, {"payment", 0, "reserve"}, {"stock", 0, "reserve"}, {"stock", 1, "reserve"}, {"order", 0, "commit"},
	}, turns: step{"order", 0, "commit"}, until: "OPEN", after: "PAID", again: []string{"200", "409 attempt-closed"}},
	{name: "no credit", credit: 6, stock: 5, steps: []step{
		{"payment", 0, "reserve"}, {"order", 0, "refuse"},
	}, until: "OPEN", after: "OPEN", again: []string{"402 insufficient-credit", "409 attempt-closed"}},
	{name: "no stock", credit: 10, stock: 2, steps: []step{
		{"order", 0, "abort"}, {"stock", 0, "release"}, {"stock", 1, "release"}, {"payment", 0, "release"}, {"order", 0, "close"},
	}, until: "OPEN", after: "OPEN", again: []string{"409 insufficient-stock", "409 attempt-closed"}},
	{name: "cancelled", credit: 10, stock: 5, cancel: true, steps: []step{
		{"order", 0, "cancel"}, {"stock", 0, "refund"}, {"stock", 1, "refund"}, {"payment", 0, "refund"}, {"order", 0, "cancelled"},
	}, turns: step{"order", 0, "cancel"}, until: "PAID", after: "CANCELLED", again: []string{"200"}},
}

// stepCase is one order whose coordinator was killed at one step.
type stepCase struct {
	*check.History
	saga
	step          step
	first, second string            // the items, on shards 0 and 1
	abouts        map[string]string // what tells the calls for this order from others, by service and shard
	about         string            // of them, the step's
	trap          *trap
	asked         chan check.Response
}

// TestMistake01KilledBetweenSteps: the predecessor's order service, killed between two steps, stranded stock and credit and locked
// the order. Here it is killed with SIGKILL at every step of every saga, in each of the ways that a message can be on then:
//
//   - lost: it has not reached Redis, and comes only when all is decided, as a late duplicate;
//   - late: it reaches Redis when the coordinator is dead;
//   - done: it is done, and its reply is lost.
//
// The next coordinator is killed in turn while it recovers the orders of the last ones.
func TestMistake01KilledBetweenSteps(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"lost", "late", "done"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			s, put := startTapped(t), check.NewDeposits()
			var cases []*stepCase
			for _, sa := range sagas {
				for _, st := range sa.steps {
					cases = append(cases, s.killAt(put, sa, st, when))
				}
			}
			s.checkSteps(put, cases, func(c *stepCase) bool { return when != "lost" })
			if when != "lost" {
				return
			}
			for _, c := range cases {
				reply, err := c.trap.Replay()
				s.must(err)
				t.Logf("%s: %s, late: %v", c.name, c.step, reply)
			}
			s.checkSteps(put, cases, func(c *stepCase) bool { return c.step.script == "cancel" })
		})
	}
}

// killAt kills the order service when a saga is at a step.
func (s *tapped) killAt(put check.Deposits, sa saga, st step, when string) *stepCase {
	s.t.Helper()
	c := s.prepare(put, sa, st)
	catch := faultproxy.Before
	if when == "done" {
		catch = faultproxy.After
	}
	c.trap = s.taps[st.service][st.shard].set(st.script, c.about, catch)
	s.send(c)
	c.trap.wait()
	s.must(s.Kill("order-1"))
	c.trap.Drop()
	if when == "late" {
		if _, err := c.trap.Replay(); err != nil {
			s.t.Fatal(err)
		}
	}
	s.begin("order-1")
	if a := <-c.asked; !a.Unknown() {
		s.t.Errorf("%s: killed at %s: a client was told %v", sa.name, st, a)
	}
	s.ready()
	return c
}

// prepare makes a user, two items and an order for one case.
func (s *tapped) prepare(put check.Deposits, sa saga, st step) *stepCase {
	s.t.Helper()
	user, first, second := s.newUser(sa.credit), s.newItemOn(0, 2, 5), s.newItemOn(1, 1, sa.stock)
	put.Credit[user], put.Stock[first], put.Stock[second] = sa.credit, 5, sa.stock
	c := &stepCase{saga: sa, step: st, first: first, second: second, asked: make(chan check.Response, 1)}
	c.History = &check.History{Order: s.newOrder(user, first, first, second, second, second), User: user}
	c.abouts = map[string]string{"order 0": c.Order, "payment 0": user, "stock 0": first, "stock 1": second}
	c.about = c.abouts[fmt.Sprint(st.service, " ", st.shard)]
	if sa.cancel {
		if a := c.History.Checkout(s.Client); !a.OK() {
			s.t.Fatal(a)
		}
	}
	return c
}

// checkSteps waits for recovery and checks each order's end; done tells whether the step at which it stopped was done.
func (s *tapped) checkSteps(put check.Deposits, cases []*stepCase, done func(*stepCase) bool) {
	s.t.Helper()
	s.settle()
	var tales []*check.History
	for _, c := range cases {
		tales = append(tales, c.History)
	}
	sn := s.check(put, tales...)
	for _, c := range cases {
		want := c.until
		for _, st := range c.steps {
			if st == c.turns && (st != c.step || done(c)) {
				want = c.after
			}
			if st == c.step {
				break
			}
		}
		if got := sn.Orders[c.Order].State; got != want {
			s.t.Errorf("%s: killed at %s: the order is %s, want %s\n%s", c.name, c.step, got, want, c.String())
		}
	}
}

// TestKilledBetweenStepsAndAskedAgain sends the same request again, at once, to the next coordinator, as often as it takes: it must
// learn what became of the order, and that must be true.
func TestKilledBetweenStepsAndAskedAgain(t *testing.T) {
	t.Parallel()
	s, put := startTapped(t), check.NewDeposits()
	var cases []*stepCase
	for _, sa := range sagas {
		for i, st := range sa.steps {
			c := s.killAt(put, sa, st, []string{"late", "done"}[i%2])
			cases = append(cases, c)
			go func() {
				ask := c.Checkout
				if c.cancel {
					ask = c.Cancel
				}
				a := ask(s.Client)
				for until := time.Now().Add(check.DecisionTimeout); a.Unknown() && time.Now().Before(until); a = ask(s.Client) {
					time.Sleep(20 * time.Millisecond) // while no machine is there, the gateway says so at once
				}
				c.asked <- a
			}()
		}
	}
	var answers []check.Response
	for _, c := range cases {
		a := <-c.asked
		answers = append(answers, a)
		if !slices.Contains(c.again, strings.TrimSpace(fmt.Sprint(a.Status, " ", a.Problem()))) {
			t.Errorf("%s: killed at %s and asked again: %v\n%s", c.name, c.step, a, c.String())
		}
	}
	t.Logf("asked again: %s", check.Tally(answers))
	s.settle()
	var tales []*check.History
	for _, c := range cases {
		tales = append(tales, c.History)
	}
	s.check(put, tales...)
}
