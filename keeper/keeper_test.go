package main

import (
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"checkout/keeper/status"
)

func TestKilledPrimary(t *testing.T) {
	t.Parallel()
	s := newShard(t)
	p := s.init(0)
	h := s.load(t)
	gap := h.during(func() { stop(s.nodes[p].redis) })
	t.Logf("kill of the primary's Redis: %v without an acknowledged batch", gap)
	s.startRedis(p)
	p = s.settle()

	gap = h.during(func() {
		stop(s.nodes[p].redis)
		stop(s.nodes[p].keeper)
	})
	t.Logf("kill of the primary's Redis and keeper: %v without an acknowledged batch", gap)
	s.startRedis(p)
	s.startKeeper(p)
	h.finish()
}

func TestWipedNodes(t *testing.T) {
	t.Parallel()
	s := newShard(t)
	replica := (s.init(1) + 1) % 3
	h := s.load(t)
	gap := h.during(func() {
		s.wipe(replica)
		time.Sleep(300 * time.Millisecond)
		s.startRedis(replica)
		s.startKeeper(replica)
	})
	t.Logf("wiped replica: %v without an acknowledged batch", gap)

	p := s.settle()
	gap = h.during(func() { // the keeper keeps running
		stop(s.nodes[p].redis)
		os.RemoveAll(s.nodes[p].dir)
		time.Sleep(200 * time.Millisecond)
		s.startRedis(p)
	})
	t.Logf("wiped primary, back after 0.2 s: %v without an acknowledged batch", gap)
	s.settle()
	stop(s.nodes[p].keeper) // the restart succeeds only if the keeper has stored its promise again
	s.startKeeper(p)

	p = s.settle()
	gap = h.during(func() {
		s.wipe(p)
		time.Sleep(200 * time.Millisecond)
		s.startRedis(p)
		s.startKeeper(p)
	})
	t.Logf("wiped primary with its keeper, back after 0.2 s: %v without an acknowledged batch", gap)
	h.finish()
}

// wipe kills the Redis and the keeper of a node, and deletes the data and the state file.
func (s *shard) wipe(i int) {
	stop(s.nodes[i].redis)
	stop(s.nodes[i].keeper)
	os.RemoveAll(s.nodes[i].dir)
}

func TestHungProcesses(t *testing.T) {
	t.Parallel()
	s := newShard(t)
	p := s.init(2)
	h := s.load(t)
	gap := h.during(func() { s.nodes[p].redis.Process.Signal(syscall.SIGSTOP) })
	t.Logf("hung Redis of the primary: %v without an acknowledged batch", gap)
	s.nodes[p].redis.Process.Signal(syscall.SIGCONT)
	p = s.settle()

	s.nodes[p].keeper.Process.Signal(syscall.SIGSTOP)
	// The hung keeper does not reply, so a primary in the status is another node.
	s.eventually("the others elect", func() bool { return s.primary() >= 0 })
	s.nodes[p].keeper.Process.Signal(syscall.SIGCONT)
	h.finish()
}

func TestHandoverAndRestart(t *testing.T) {
	t.Parallel()
	s := newShard(t)
	s.init(0)
	h := s.load(t)
	// After kill -9 of the keeper, its Redis stays primary. The test suspends the other keepers meanwhile.
	// Otherwise, they could elect a primary on a slow machine.
	p := s.settle()
	epoch := s.status()[p].Epoch
	signalOthers := func(signal syscall.Signal) {
		for i, n := range s.nodes {
			if i != p {
				n.keeper.Process.Signal(signal)
			}
		}
	}
	signalOthers(syscall.SIGSTOP)
	gap := h.during(func() {
		stop(s.nodes[p].keeper)
		s.startKeeper(p)
		s.eventually("the primary's keeper continues its epoch", func() bool {
			now := s.status()[p]
			return now.Role == status.Primary && now.Epoch == epoch
		})
	})
	signalOthers(syscall.SIGCONT)
	t.Logf("restart of the primary's keeper: %v without an acknowledged batch", gap)

	p = s.settle()
	gap = h.during(func() {
		s.nodes[p].keeper.Process.Signal(syscall.SIGTERM)
		<-s.nodes[p].keeper.exited
		if state := s.nodes[p].keeper.ProcessState; !state.Success() {
			t.Errorf("keeper after SIGTERM: got %v, want exit status 0", state)
		}
	})
	t.Logf("handover by SIGTERM: %v without an acknowledged batch", gap)
	s.eventually("another node is primary", func() bool { return s.primary() >= 0 })
	s.startKeeper(p)
	p = s.settle()

	// On a busy host, a handover may fail because no replica replies in time, so retry it.
	gap = h.during(func() {
		s.eventually("the primary hands over", func() bool {
			p = max(0, s.primary())
			_, err := s.command(p, "handover")
			return err == nil
		})
	})
	t.Logf("keeper handover: %v without an acknowledged batch", gap)
	if got := s.metric(p, "keeper_handovers_total"); got != "1" {
		t.Errorf("keeper_handovers_total: got %s, want 1", got)
	}
	h.finish()
	s.eventually("keeper status shows a primary and two replicas", func() bool {
		out, err := s.command(0, "status")
		return err == nil && strings.Count(out, "replica") == 2 && strings.Count(out, "primary") == 1
	})
}

// metric returns the value of a metric of a keeper.
func (s *shard) metric(i int, name string) string {
	response, err := statusClient.Get("http://127.0.0.1:" + s.nodes[i].metrics + "/metrics")
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	lines := strings.Split(string(text), "\n")
	at := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, name+"{") })
	if at < 0 {
		return "no metric " + name
	}
	return lines[at][strings.LastIndexByte(lines[at], ' ')+1:]
}

// A keeper does not use a Redis whose settings break the promise, even if the settings change while the Redis is
// primary.
func TestSettingsThatBreakThePromise(t *testing.T) {
	t.Parallel()
	s := newShard(t)
	p := s.init(0)
	h := s.load(t)
	for _, wrong := range []struct{ name, value, right string }{
		{"appendonly", "no", "yes"},
		{"appendfsync", "everysec", "always"},
		{"no-appendfsync-on-rewrite", "yes", "no"},
		{"maxmemory-policy", "allkeys-lru", "noeviction"},
		{"repl-diskless-load", "swapdb", "disabled"},
		{"replica-read-only", "no", "yes"},
		{"replica-serve-stale-data", "no", "yes"},
		{"min-replicas-to-write", "1", "0"},
	} {
		p = s.settle()
		c := s.nodes[p].admin()
		set := func(value string) {
			if err := c.ConfigSet(t.Context(), wrong.name, value).Err(); err != nil {
				t.Fatal(err)
			}
		}
		h.during(func() {
			set(wrong.value)
			s.eventually("another node is primary", func() bool {
				now := s.primary()
				return now >= 0 && now != p
			})
		})
		// On a busy host, the first problem may be a timeout of an inspection.
		s.eventually("the keeper does not use the Redis because of the setting "+wrong.name, func() bool {
			n := s.status()[p]
			return n.Role == status.Unreachable && !n.Ready && strings.Contains(n.Problem, wrong.name)
		})
		set(wrong.right)
		c.Close()
	}
	h.finish()
	p = s.settle()
	for i, n := range s.nodes {
		if i != p {
			c := n.admin()
			defer c.Close()
			if err := c.ConfigSet(t.Context(), "appendonly", "no").Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.eventually("keeper status reports that no replica can acknowledge a write", func() bool {
		_, err := s.command(p, "status")
		return err != nil
	})
	n := s.nodes[p]
	n.redisArgs = n.redisArgs[:slices.Index(n.redisArgs, "--rename-command")]
	stop(n.redis)
	s.startRedis(p)
	s.eventually("the keeper does not use a Redis with the command SYNC", func() bool {
		return strings.Contains(s.status()[p].Problem, "SYNC")
	})
}
