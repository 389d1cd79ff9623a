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

// TestConsistencyWithKills repeats the consistency run with a SIGKILL of one component. The test reports how many
// checkouts got a response other than 200 and 4xx, and how many pieces were not sold. The test fails only if an
// invariant is violated. Only `make kills` runs this test.
func TestConsistencyWithKills(t *testing.T) {
	if *kills == 0 {
		t.Skip("use -kills")
	}
	for _, n := range []int{1, 2} {
		var table strings.Builder
		for i, victim := range victims(n) {
			t.Run(fmt.Sprintf("%dx%d/%s", n, n, victim), func(t *testing.T) {
				s, deposits := start(t, stack.Config{Instances: n, Shards: n}), check.NewDeposits()
				var histories []*check.History
				var unknown, unsold []int
				for run := range *kills {
					u, left, of := s.consistencyRun(victim, uint64(1000*i+run), deposits)
					histories = append(histories, of...)
					unknown, unsold = append(unknown, u), append(unsold, left)
				}
				s.settle()
				s.check(deposits, histories...)
				fmt.Fprintf(&table, "\n| %dx%d | %s | %s | %s |", n, n, victim, spread(unknown), spread(unsold))
			})
		}
		t.Logf("%d runs each, 1000 checkouts for 100 pieces; each cell: runs above 0, median, largest, sum\n"+
			"| size | killed | other than 200 and 4xx | pieces unsold |\n|---|---|---|---|%s", *kills, &table)
	}
}

// victims returns the components to kill in a system with n shards and n instances of each service: every shard, and
// one instance of each service, because the instances are alike.
func victims(n int) []string {
	var names []string
	for _, service := range []string{"order", "stock", "payment"} {
		for shard := range n {
			names = append(names, fmt.Sprintf("redis-%s-%d", service, shard))
		}
		names = append(names, service+"-1")
	}
	return names
}

// spread formats how many values are not 0, the median, the largest value and the sum.
func spread(values []int) string {
	slices.Sort(values)
	positive, sum := 0, 0
	for _, v := range values {
		sum += v
		if v > 0 {
			positive++
		}
	}
	return fmt.Sprintf("%d, %d, %d, %d", positive, values[len(values)/2], values[len(values)-1], sum)
}

// consistencyRun sends 1,000 checkouts for 100 pieces at the same time. After a random number of responses, it kills a
// component. It starts the component 0.2 s later. It returns the number of responses other than 200 and 4xx, and the
// number of pieces that are left when every order is decided. Each user has enough credit.
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
	gate, responses := make(chan struct{}), make(chan struct{}, orders)
	for _, h := range histories {
		sending.Go(func() {
			<-gate
			h.Checkout(s.Client)
			responses <- struct{}{}
		})
	}
	close(gate)
	for range random.IntN(orders) {
		<-responses
	}
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
	s.must(check.Poll(context.Background(), check.DecisionTimeout, s.shards.CheckDecided))
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
