package e2e

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"checkout/test/check"
	"checkout/test/stack"
)

var kills = flag.Int("kills", 0, "runs of TestConsistencyWithKills for each component and size; 0 skips the test")

// TestConsistencyWithKills repeats the consistency run with a SIGKILL of one component at a random moment. The test
// reports how many checkouts got a response other than 200 and 4xx, and how many pieces were not sold. The test fails
// only if an invariant is violated. Only `make kills` runs this test.
func TestConsistencyWithKills(t *testing.T) {
	if *kills == 0 {
		t.Skip("use -kills")
	}
	for _, n := range []int{1, 2} {
		t.Run(fmt.Sprintf("%dx%d", n, n), func(t *testing.T) {
			s, deposits := start(t, stack.Config{Race: true, Instances: n, Shards: n}), check.NewDeposits()
			var table strings.Builder
			var histories []*check.History
			for i, victim := range s.Names() {
				if victim == "nginx" || n > 1 && strings.HasSuffix(victim, "-2") {
					continue
				}
				var unknown, unsold []int
				for run := range *kills {
					u, left, of := s.consistencyRun(victim, uint64(1000*i+run), deposits)
					histories = append(histories, of...)
					s.check(deposits, histories...)
					unknown, unsold = append(unknown, u), append(unsold, left)
				}
				fmt.Fprintf(&table, "\n| %s | %s | %s |", victim, spread(unknown), spread(unsold))
			}
			t.Logf("%d runs each, 1000 checkouts for 100 pieces; median, largest, sum\n"+
				"| killed | other than 200 and 4xx | pieces unsold |\n|---|---|---|%s", *kills, &table)
		})
	}
}

// spread formats the median, the largest value and the sum.
func spread(values []int) string {
	slices.Sort(values)
	sum := 0
	for _, v := range values {
		sum += v
	}
	return fmt.Sprintf("%d, %d, %d", values[len(values)/2], values[len(values)-1], sum)
}

// consistencyRun sends 1,000 checkouts for 100 pieces at the same time. Meanwhile, consistencyRun kills a component and
// starts the component 0.2 s later. It returns the number of responses other than 200 and 4xx, and the number of pieces
// that are left when every order is decided. Each user has enough credit.
func (s *system) consistencyRun(
	victim string, run uint64, deposits check.Deposits,
) (unknown, unsold int, histories []*check.History) {
	s.t.Helper()
	const orders, pieces, users = 1000, 100, 50
	random := newRandom(s.t, run)
	item := s.newItem(1, pieces)
	deposits.Stock[item] = pieces
	var buyers [users]string
	for i := range buyers {
		buyers[i] = s.newUser(orders)
		deposits.Credit[buyers[i]] = orders
	}
	histories = make([]*check.History, orders)
	s.concurrently(orders, 16, func(i int) {
		user := buyers[i%users]
		histories[i] = &check.History{User: user, Order: s.newOrder(user, item)}
	})
	var sending sync.WaitGroup
	gate := make(chan struct{})
	for _, h := range histories {
		sending.Go(func() { <-gate; h.Checkout(s.Client) })
	}
	close(gate)
	time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond)
	s.must(s.Kill(victim))
	time.Sleep(200 * time.Millisecond)
	s.must(s.Start(context.Background(), victim))
	sending.Wait()
	for _, h := range histories {
		r := h.Checkouts[0]
		if !r.OK() && (r.Status < http.StatusBadRequest || r.Status >= http.StatusInternalServerError) {
			unknown++
		}
	}
	s.waitReady()
	s.settle()
	s.eventually(check.DecisionTimeout, "the stock is read", func() error { // a connection to Redis may have been lost
		r := s.Call("GET", "/stock/find/"+item)
		if !r.OK() {
			return fmt.Errorf("%v", r)
		}
		unsold = int(s.stock(item))
		return nil
	})
	return unknown, unsold, histories
}
