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

// TestNoLeakedFilesOrKeys checks that refused checkouts leave no open files, and that paid checkouts leave only keys
// that expire.
func TestNoLeakedFilesOrKeys(t *testing.T) {
	t.Parallel()
	s, deposits := start(t, stack.Config{}), check.NewDeposits()
	item, poor, rich := s.newItem(5, 60), s.newUser(4), s.newUser(1_000_000)
	deposits.Stock[item], deposits.Credit[poor], deposits.Credit[rich] = 60, 4, 1_000_000
	scarce := s.newItem(5, 1)
	deposits.Stock[scarce] = 1

	refuse := func(n int) {
		s.concurrently(n, 8, func(i int) {
			order := s.newOrder(poor, item)
			want := "402 insufficient-credit"
			if i%2 == 1 {
				order, want = s.newOrder(rich, scarce, scarce), "409 insufficient-stock"
			}
			if r := s.Checkout(order); outcome(r) != want {
				t.Errorf("checkout: got %v, want %s", r, want)
			}
		})
	}
	refuse(50) // fills the connection pools
	had := s.files()
	refuse(200)
	for name, has := range s.files() {
		if has > had[name]+20 { // the pools vary a little; a leak would add 200
			t.Errorf("%s had %d open files, and %d after 200 refused checkouts, want at most 20 more", name, had[name], has)
		}
	}

	const paid = 50
	before := s.keys()
	s.concurrently(paid, 8, func(int) {
		if r := s.Checkout(s.newOrder(rich, item)); !r.OK() {
			t.Errorf("checkout: got %v, want 200", r)
		}
	})
	s.settle()
	sn := s.check(deposits)
	for service, has := range s.keys() {
		if has > before[service]+paid { // a paid order adds at most one key to a service
			t.Errorf("%s had %d keys, and %d after %d paid orders, want at most one more per order",
				service, before[service], has, paid)
		}
	}
	for key, record := range sn.Records {
		service := map[string]string{"{s0}": "stock", "{p0}": "payment"}[key[:4]]
		expires := s.shards[service][0].PExpireTime(context.Background(), key).Val()
		// The deadline of an attempt is 30 s after begin. A record of the attempt expires 60 s after the deadline.
		left := time.Until(time.UnixMilli(int64(expires / time.Millisecond)))
		if record.Persistent || left > 90*time.Second {
			t.Errorf("%s expires in %v (negative if it never expires), want at most 90s", key, left)
		}
	}
}

// files counts the open files of each component except Redis, by component name.
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

// TestFullRedisStillCompensates checks that a Redis at its memory limit rejects calls of begin and reserve, but still
// runs commit, refuse, abort, release, close, refund and cancelled.
func TestFullRedisStillCompensates(t *testing.T) {
	t.Parallel()
	s, deposits := startProxied(t), check.NewDeposits()
	for _, at := range []step{
		{"order", 0, "commit"}, {"order", 0, "refuse"}, {"order", 0, "abort"},
		{"stock", 0, "release"}, {"stock", 1, "release"}, {"payment", 0, "release"}, {"order", 0, "close"},
		{"stock", 0, "refund"}, {"stock", 1, "refund"}, {"payment", 0, "refund"}, {"order", 0, "cancelled"},
	} {
		for _, sa := range sagas {
			for _, st := range sa.steps {
				if st != at {
					continue
				}
				s.disturb(deposits, sa, st, "every Redis is full", func(trap *trap) {
					s.fill("order", "stock", "payment")
					trap.Pass()
				})
				s.empty()
			}
		}
	}

	// If every Redis of stock is full, the coordinator aborts the attempt. The attempt then takes neither stock nor
	// credit.
	c := s.prepare(deposits, sagaNamed(t, "paid"), step{"stock", 0, "reserve"})
	s.fill("stock")
	s.send(c)
	if r := <-c.response; outcome(r) != "409 attempt-closed" {
		t.Errorf("checkout with every Redis of stock full: got %v, want 409 attempt-closed", r)
	}
	s.settle()
	s.check(deposits, c.History)

	// If every Redis is full, no checkout begins.
	s.fill("order", "payment")
	if r := c.History.Checkout(s.Client); r.OK() || r.FormatViolation() != "" {
		t.Errorf("checkout with every Redis full: got %v (format violation: %s), want a problem",
			r, r.FormatViolation())
	}
	s.settle()
	s.check(deposits, c.History)
	s.empty()
	if r := c.History.Checkout(s.Client); !r.OK() {
		t.Errorf("checkout after every Redis has memory again: got %v, want 200", r)
	}
	s.settle()
	s.check(deposits, c.History)
}

// fill sets a memory limit on the Redis servers of the services, so that these servers are full.
func (s *system) fill(services ...string) {
	s.t.Helper()
	for _, service := range services {
		for _, shard := range s.shards[service] {
			s.must(shard.ConfigSet(context.Background(), "maxmemory", "1").Err())
		}
	}
}

// empty undoes fill for all Redis servers, and waits until the instances are ready.
func (s *system) empty() {
	s.t.Helper()
	for _, shards := range s.shards {
		for _, shard := range shards {
			s.must(shard.ConfigSet(context.Background(), "maxmemory", "1gb").Err())
		}
	}
	for _, service := range stack.Services() {
		for _, url := range s.InternalURLs(service) {
			s.eventually(check.DecisionTimeout, service+" is ready", func() error {
				if r := s.Call("GET", url+"/readyz"); !r.OK() {
					return fmt.Errorf("%s: %v", url, r)
				}
				return nil
			})
		}
	}
}
