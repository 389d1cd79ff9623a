package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"checkout/test/check"
	"checkout/test/faultproxy"
)

// step is one call of a script on one shard. The coordinator may die between any two steps.
type step struct {
	service string
	shard   int
	script  string
}

func (st step) String() string { return fmt.Sprintf("%s %d %s", st.service, st.shard, st.script) }

// saga is one course of a checkout or a cancel, with the steps at which tests disturb it. "no credit" and "no stock"
// omit most of the steps that they have in common with "paid". The cart has an item on each shard of stock.
type saga struct {
	name   string
	credit int64 // credit of the user; the cart costs 7
	stock  int64 // stock of the second item; the cart has 3 pieces of it
	cancel bool  // the saga is a cancel of a paid order, not a checkout
	steps  []step
	// If the step "decision" has taken effect, the final state of the order is "after", otherwise "before". A saga that
	// always leaves the order OPEN has no such step.
	decision      step
	before, after string
	onRetry       []string // possible outcomes of a retry after the coordinator died
}

var sagas = []saga{
	{name: "paid", credit: 10, stock: 5, steps: []step{
		{"order", 0, "begin"}, {"payment", 0, "reserve"}, {"stock", 0, "reserve"}, {"stock", 1, "reserve"},
		{"order", 0, "commit"},
	}, decision: step{"order", 0, "commit"}, before: "OPEN", after: "PAID",
		onRetry: []string{"200", "409 attempt-closed"}},
	{name: "no credit", credit: 6, stock: 5, steps: []step{
		{"payment", 0, "reserve"}, {"order", 0, "refuse"},
	}, before: "OPEN", after: "OPEN", onRetry: []string{"402 insufficient-credit", "409 attempt-closed"}},
	{name: "no stock", credit: 10, stock: 2, steps: []step{
		{"order", 0, "abort"}, {"stock", 0, "release"}, {"stock", 1, "release"}, {"payment", 0, "release"},
		{"order", 0, "close"},
	}, before: "OPEN", after: "OPEN", onRetry: []string{"409 insufficient-stock", "409 attempt-closed"}},
	{name: "cancelled", credit: 10, stock: 5, cancel: true, steps: []step{
		{"order", 0, "cancel"}, {"stock", 0, "refund"}, {"stock", 1, "refund"}, {"payment", 0, "refund"},
		{"order", 0, "cancelled"},
	}, decision: step{"order", 0, "cancel"}, before: "PAID", after: "CANCELLED", onRetry: []string{"200"}},
}

// sagaNamed returns the saga with this name.
func sagaNamed(t testing.TB, name string) saga {
	t.Helper()
	for _, sa := range sagas {
		if sa.name == name {
			return sa
		}
	}
	t.Fatalf("find saga %q: no such name", name)
	return saga{}
}

// expected returns the outcome for the client if nothing disturbs the saga.
func (sa saga) expected() string {
	return map[string]string{
		"paid": "200", "cancelled": "200", "no credit": "402 insufficient-credit", "no stock": "409 insufficient-stock",
	}[sa.name]
}

// outcome returns the status of a response, followed by the name of the problem, if any.
func outcome(r check.Response) string {
	return strings.TrimSpace(fmt.Sprint(r.Status, " ", r.Problem()))
}

// sagaCase is one order whose saga is disturbed at one step.
type sagaCase struct {
	*check.History
	saga
	step          step
	first, second string            // the items, on shards 0 and 1
	args          map[string]string // for each service and shard: an argument that identifies calls for this order
	arg           string            // the argument that identifies the call of the step
	trap          *trap
	direct        bool // send the checkout to order-1, not through the gateway, which would retry it
	response      chan check.Response
}

// prepare creates a user, two items and an order. If the saga is a cancel, it also checks out the order.
func (s *proxied) prepare(deposits check.Deposits, sa saga, st step) *sagaCase {
	s.t.Helper()
	user, first, second := s.newUser(sa.credit), s.newItemOn(0, 2, 5), s.newItemOn(1, 1, sa.stock)
	deposits.Credit[user], deposits.Stock[first], deposits.Stock[second] = sa.credit, 5, sa.stock
	c := &sagaCase{saga: sa, step: st, first: first, second: second, response: make(chan check.Response, 1)}
	c.History = &check.History{Order: s.newOrder(user, first, first, second, second, second), User: user}
	c.args = map[string]string{"order 0": c.Order, "payment 0": user, "stock 0": first, "stock 1": second}
	c.arg = c.args[fmt.Sprint(st.service, " ", st.shard)]
	if sa.cancel {
		if r := c.History.Checkout(s.Client); !r.OK() {
			s.t.Fatal(r)
		}
	}
	return c
}

// send sends the cancel or the checkout and returns at once. The response goes to c.response.
func (s *proxied) send(c *sagaCase) {
	go func() {
		switch {
		case c.cancel:
			c.response <- c.History.Cancel(s.Client)
		case c.direct:
			c.response <- c.History.Checkout(s.Client.Instance(s.PublicURLs("order")[0]))
		default:
			c.response <- c.History.Checkout(s.Client)
		}
	}()
}

// finishes checks that the response and the final state are as in an undisturbed saga.
func (s *proxied) finishes(deposits check.Deposits, c *sagaCase, where string) {
	s.t.Helper()
	if r := <-c.response; outcome(r) != c.expected() {
		s.t.Errorf("%s, %s: %v, want %s", c.name, where, r, c.expected())
	}
	s.settle()
	if state := s.check(deposits, c.History).Orders[c.Order].State; state != c.after {
		s.t.Errorf("%s, %s: the order is %s, want %s", c.name, where, state, c.after)
	}
}

// finishesAfterRetry is like finishes, for a client that retries after an unknown outcome or a closed attempt. Both
// responses are correct while a Redis is unhealthy.
func (s *proxied) finishesAfterRetry(deposits check.Deposits, c *sagaCase, where string) {
	s.t.Helper()
	r := <-c.response
	s.eventually(check.DecisionTimeout, "the client receives the outcome", func() error {
		if !r.Unknown() && outcome(r) != "409 attempt-closed" {
			return nil
		}
		earlier := r
		r = c.Checkout(s.Client)
		return fmt.Errorf("%v", earlier)
	})
	c.response <- r
	s.finishes(deposits, c, where)
}

// hasCounter returns an error if a counter in Redis has a value other than n.
func (s *system) hasCounter(service string, shard int, id string, n int64) error {
	kind := map[string]string{"stock": "i", "payment": "u"}[service]
	key := fmt.Sprintf("{%s%d}%s:%s", service[:1], shard, kind, id)
	got, err := s.shards[service][shard].Get(s.t.Context(), key).Int64()
	if err == nil && got != n {
		err = fmt.Errorf("%s is %d, want %d", key, got, n)
	}
	return err
}

// disturbEveryStep calls the given function at each step of each saga, while a proxy holds the script call of the
// step. The response and the final state must not change.
func (s *proxied) disturbEveryStep(deposits check.Deposits, what string, disturb func(*trap)) {
	s.t.Helper()
	for _, sa := range sagas {
		for _, st := range sa.steps {
			s.disturb(deposits, sa, st, what, disturb)
		}
	}
}

// heldAtMost is the longest time that a proxy may hold a call without an effect on the outcome. After 0.7 s, the Redis
// of the call would become unhealthy.
const heldAtMost = 500 * time.Millisecond

// disturb disturbs one step of one saga. If the proxy held the call for longer than heldAtMost, as on a busy host,
// disturb tries again with a new order.
func (s *proxied) disturb(deposits check.Deposits, sa saga, st step, what string, disturb func(*trap)) {
	s.t.Helper()
	const tries = 10
	for range tries {
		c := s.prepare(deposits, sa, st)
		trap := s.proxies[st.service][st.shard].trapCall(st.script, c.arg, faultproxy.Before)
		sent := time.Now()
		s.send(c)
		trap.wait()
		disturb(trap)
		if time.Since(sent) < heldAtMost {
			s.finishes(deposits, c, what+" at "+st.String())
			return
		}
		<-c.response
		s.settle()
		s.check(deposits, c.History)
		s.empty()
		s.waitReady()
	}
	s.t.Errorf("%s at %s: the call was held for more than %v in each of %d tries", what, st, heldAtMost, tries)
}
