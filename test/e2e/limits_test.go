package e2e

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"checkout/test/check"
	"checkout/test/stack"
)

// TestMistake13NothingLeaks: every refused checkout leaked a socket, and every paid one left five keys for ever.
func TestMistake13NothingLeaks(t *testing.T) {
	t.Parallel()
	s, put := start(t, stack.Config{}), check.NewDeposits()
	item, poor, rich := s.newItem(5, 60), s.newUser(4), s.newUser(1_000_000)
	put.Stock[item], put.Credit[poor], put.Credit[rich] = 60, 4, 1_000_000
	scarce := s.newItem(5, 1)
	put.Stock[scarce] = 1

	refuse := func(n int) {
		s.many(n, 8, func(i int) {
			order := s.newOrder(poor, item)
			want := "402 insufficient-credit"
			if i%2 == 1 {
				order, want = s.newOrder(rich, scarce, scarce), "409 insufficient-stock"
			}
			if a := s.Checkout(order); kind(a) != want {
				t.Errorf("a checkout was answered %v", a)
			}
		})
	}
	refuse(50) // pools fill
	had := s.files()
	refuse(200)
	for name, has := range s.files() {
		if has > had[name]+20 { // pools breathe; the leak would be 200
			t.Errorf("%s had %d files open, and %d after 200 refused checkouts", name, had[name], has)
		}
	}

	const paid = 50
	before := s.keys()
	s.many(paid, 8, func(int) {
		if a := s.Checkout(s.newOrder(rich, item)); !a.OK() {
			t.Errorf("a checkout was answered %v", a)
		}
	})
	s.settle()
	sn := s.check(put)
	for service, has := range s.keys() {
		if has > before[service]+paid { // an order, a record, a record
			t.Errorf("%s had %d keys, and %d after %d paid orders", service, before[service], has, paid)
		}
	}
	for key, r := range sn.Records {
		service := map[string]string{"{s0}": "stock", "{p0}": "payment"}[key[:4]]
		ends := s.shards[service][0].PExpireTime(context.Background(), key).Val()
		// 30 s from begin to the deadline, and 60 s more.
		if left := time.Until(time.UnixMilli(int64(ends / time.Millisecond))); r.Persistent || left > 90*time.Second {
			t.Errorf("%s ends in %v", key, left)
		}
	}
}

// files counts the open files of each service.
func (s *system) files() map[string]int {
	s.t.Helper()
	count := map[string]int{}
	for _, p := range s.Processes() {
		if strings.HasPrefix(p.Name, "redis-") {
			continue
		}
		fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.PID))
		s.must(err)
		count[p.Name] += len(fds)
	}
	return count
}

// keys counts the keys of each service.
func (s *system) keys() map[string]int64 {
	s.t.Helper()
	count := map[string]int64{}
	for service, shards := range s.shards {
		for _, shard := range shards {
			n, err := shard.DBSize(context.Background()).Result()
			s.must(err)
			count[service] += n
		}
	}
	return count
}

// TestMistake16AFullRedisGivesBack: Redis at maxmemory refused the compensation, and the stock was lost. Here a full Redis refuses to
// take and to begin, and never to commit, to abort, to release or to give back.
func TestMistake16AFullRedisGivesBack(t *testing.T) {
	t.Parallel()
	s, put := startTapped(t), check.NewDeposits()
	for _, at := range []step{
		{"order", 0, "commit"}, {"order", 0, "refuse"}, {"order", 0, "abort"}, {"stock", 0, "release"}, {"stock", 1, "release"}, {"payment", 0, "release"},
		{"order", 0, "close"}, {"stock", 0, "refund"}, {"stock", 1, "refund"}, {"payment", 0, "refund"}, {"order", 0, "cancelled"},
	} {
		for _, sa := range sagas {
			for _, st := range sa.steps {
				if st != at {
					continue
				}
				s.at(put, sa, st, "all full", func(trap *trap) {
					s.fill("order", "stock", "payment")
					trap.Pass()
				})
				s.empty()
			}
		}
	}

	// With stock full a checkout that is on its way is given up, and nothing is taken.
	c := s.prepare(put, sagaOf(t, "paid"), step{"stock", 0, "reserve"})
	s.fill("stock")
	s.send(c)
	if a := <-c.asked; kind(a) != "409 attempt-closed" {
		t.Errorf("with stock full: %v", a)
	}
	s.settle()
	s.check(put, c.History)

	// With everything full none begins.
	s.fill("order", "payment")
	if a := c.History.Checkout(s.Client); a.OK() || a.FormatViolation() != "" {
		t.Errorf("with all full: %v %s", a, a.FormatViolation())
	}
	s.settle()
	s.check(put, c.History)
	s.empty()
	if a := c.History.Checkout(s.Client); !a.OK() {
		t.Errorf("with room again: %v", a)
	}
	s.settle()
	s.check(put, c.History)
}

// fill lets the Redises of services believe that their memory is full.
func (s *system) fill(services ...string) {
	s.t.Helper()
	for _, service := range services {
		for _, shard := range s.shards[service] {
			s.must(shard.ConfigSet(context.Background(), "maxmemory", "1").Err())
		}
	}
}

// empty takes that back.
func (s *system) empty() {
	s.t.Helper()
	for _, shards := range s.shards {
		for _, shard := range shards {
			s.must(shard.ConfigSet(context.Background(), "maxmemory", "1gb").Err())
		}
	}
}
