package e2e

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"checkout/test/check"
	"checkout/test/stack"
)

// TestIdleSystemWritesNothing checks that no append-only file grows while no request is sent, before and after a
// checkout. A Redis whose disk is full exits at its first write, so an idle system must not write.
func TestIdleSystemWritesNothing(t *testing.T) {
	t.Parallel()
	s := start(t, stack.Config{Instances: 2})
	for _, service := range stack.Services() {
		for i, shard := range s.shards[service] {
			s.eventually(10*time.Second, "all shards are active", func() error {
				open := shard.HGet(t.Context(), fmt.Sprintf("{%c%d}growth", service[0], i), "open").Val()
				if open != "2" {
					return fmt.Errorf("%s shard %d stores %q as the number of active shards, want 2", service, i, open)
				}
				return nil
			})
		}
	}
	s.checkWritesNothing(3 * time.Second)
	s.post("/orders/checkout/%s", s.newOrder(s.newUser(100), s.newItem(5, 10)))
	s.settle()
	s.checkWritesNothing(3 * time.Second)
}

// checkWritesNothing checks that no append-only file grows for the given time.
func (s *system) checkWritesNothing(lasts time.Duration) {
	s.t.Helper()
	before := s.aofSizes()
	s.eventually(check.DecisionTimeout, "the write sequences are stored", func() error {
		time.Sleep(2 * time.Second)
		earlier := before
		if before = s.aofSizes(); !maps.Equal(before, earlier) {
			return errors.New("an append-only file grows")
		}
		return nil
	})
	time.Sleep(lasts)
	for shard, size := range s.aofSizes() {
		if size != before[shard] {
			s.t.Errorf("the append-only file of %s changed from %s to %s bytes, want no change", shard, before[shard], size)
		}
	}
}

// aofSizes returns the size of the append-only file of each shard.
func (s *system) aofSizes() map[string]string {
	sizes := map[string]string{}
	for _, service := range stack.Services() {
		for i, shard := range s.shards[service] {
			info := shard.Info(s.t.Context(), "persistence").Val()
			_, size, _ := strings.Cut(info, "aof_current_size:")
			size, _, found := strings.Cut(size, "\r")
			if !found {
				s.t.Fatalf("the output of Redis INFO contains no aof_current_size: %q", info)
			}
			sizes[fmt.Sprintf("%s %d", service, i)] = size
		}
	}
	return sizes
}
