package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"checkout/test/check"
	"checkout/test/stack"
)

// TestServiceThatLostItsOnlyShardRefusesTheEmptyRedis checks a service whose only Redis comes back empty while the
// instances of all services are restarted. The restarted instances remember nothing. But the Redis of a caller of the
// service contains the identity of the lost shard, so no request may get 404 or create anything on the empty Redis.
// When the data is back, everything works.
func TestServiceThatLostItsOnlyShardRefusesTheEmptyRedis(t *testing.T) {
	t.Parallel()
	s := start(t, stack.Config{})
	user, item := s.newUser(100), s.newItem(5, 10)
	order := s.newOrder(user, item)
	deposits := check.NewDeposits()
	deposits.Credit[user], deposits.Stock[item] = 100, 10
	for _, lost := range []struct {
		service, caller string
		requests        []string
	}{
		{"order", "payment", []string{
			"GET /orders/find/" + order, "POST /orders/checkout/" + order, "POST /orders/create/" + user,
			"POST /payment/cancel/" + user + "/" + order, "GET /payment/status/" + user + "/" + order,
		}},
		{"stock", "order", []string{
			"GET /stock/find/" + item, "POST /stock/item/create/1", "POST /orders/checkout/" + order,
		}},
		{"payment", "order", []string{
			"GET /payment/find_user/" + user, "POST /payment/create_user", "POST /orders/checkout/" + order,
		}},
	} {
		s.waitUntilKnown(lost.service, lost.caller)
		restore := s.loseData(lost.service)
		s.eventually(check.DecisionTimeout, lost.service+" refuses its empty Redis", func() error {
			_, missing, err := s.readiness(lost.service)
			want := "the Redis is empty, but " + lost.caller + " knows shard 0"
			if err == nil && !strings.Contains(strings.Join(missing, "\n"), want) {
				err = fmt.Errorf("/readyz: got %q, want an entry with %q", missing, want)
			}
			return err
		})
		for _, request := range lost.requests {
			method, path, _ := strings.Cut(request, " ")
			if r := s.Call(method, path); !r.Unknown() && r.Problem() != "attempt-closed" {
				t.Errorf("%s after %s lost its data: got %v, want 503 or attempt-closed", request, lost.service, r)
			}
		}
		if n, err := s.shards[lost.service][0].DBSize(context.Background()).Result(); n != 0 || err != nil {
			t.Errorf("the empty Redis of %s: got %d keys, error %v; want no keys", lost.service, n, err)
		}
		restore()
		s.waitReady()
		s.settle()
		s.check(deposits)
	}
	if r := s.Checkout(order); !r.OK() {
		t.Errorf("checkout after all data is back: got %v, want 200", r)
	}
}

// waitUntilKnown waits until a caller has stored the identity of the shard of a service.
func (s *system) waitUntilKnown(service, caller string) {
	s.t.Helper()
	s.eventually(check.DecisionTimeout, caller+" knows the shard of "+service, func() error {
		known, err := s.shards[caller][0].HGet(context.Background(), "identity", "peer:"+service+":0").Result()
		if err == nil && known == "" {
			err = errors.New("the identity is not stored")
		}
		return err
	})
}

// loseData kills the Redis of a service and the instances of all services, and starts them again without the data of
// the service. The returned function does the same, but puts the data back.
func (s *system) loseData(service string) (restore func()) {
	s.t.Helper()
	dir := s.RedisDir(service, 0)
	data, kept := filepath.Join(dir, "appendonlydir"), filepath.Join(dir, "kept")
	restart := func(change func() error) {
		s.t.Helper()
		redis := "redis-" + service + "-0"
		names := []string{redis}
		for _, service := range stack.Services() {
			names = append(names, service+"-1")
		}
		for _, name := range names {
			s.must(s.Kill(name))
		}
		s.must(change())
		for _, name := range names {
			s.startAgain(name)
		}
	}
	restart(func() error { return os.Rename(data, kept) })
	return func() {
		s.t.Helper()
		restart(func() error { return errors.Join(os.RemoveAll(data), os.Rename(kept, data)) })
	}
}
