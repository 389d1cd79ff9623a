package main

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"checkout/keeper/rule"
	"checkout/keeper/status"
)

// complete is the acknowledgement of a node that has the write sequence seq, and could be elected.
func complete(seq int64) rule.Ack {
	return rule.Ack{Promised: 5, Reached: true, Position: rule.Position{Epoch: 5, Seq: seq}}
}

// loading is the acknowledgement of a node that loads its data or a copy.
var loading = rule.Ack{Promised: 5, Reached: true, Copying: true}

// led has arguments of successor for one tick.
type led struct {
	acked    int64
	sending  bool
	required int64
	acks     map[int]rule.Ack
}

// resignations calls successor at each tick in [from, to). It returns the ticks at which the primary resigns, and the
// last successor. The primary has the write sequence 100.
func (i *isolation) resignations(from, to int, at func(tick int) led) (ticks []int, successor int) {
	successor = -1
	for tick := from; tick < to; tick++ {
		l := at(tick)
		o := rule.Observation{Position: rule.Position{Epoch: 5, Seq: 100}, Acked: l.acked, Sending: l.sending}
		now := time.Unix(1_000_000, 0).Add(time.Duration(tick) * tickInterval)
		if node := i.successor(now, o, l.required, l.acks); node >= 0 {
			ticks, successor = append(ticks, tick), node
		}
	}
	return ticks, successor
}

const (
	resignTicks = int(resignAfter / tickInterval)
	maxTicks    = int(maxResignAfter / tickInterval)
)

// A primary resigns in favor of the node with the most data when no replica has acknowledged anything for a time. The
// time doubles with each resignation until a replica acknowledges writes again.
func TestPrimaryResigns(t *testing.T) {
	var i isolation
	acks := map[int]rule.Ack{1: complete(90), 2: complete(99)}
	healthy := func(int) led { return led{acked: 500, required: 500, acks: acks} }
	isolated := func(int) led { return led{required: 500, acks: acks} }
	if ticks, _ := i.resignations(0, 1000, healthy); len(ticks) > 0 {
		t.Fatalf("a primary with a replica resigns at ticks %v", ticks)
	}
	last := 999
	want := []int{last + resignTicks, last + 3*resignTicks, last + 7*resignTicks}
	ticks, successor := i.resignations(1000, want[2]+1, isolated)
	if !slices.Equal(ticks, want) || successor != 2 {
		t.Errorf("resigns at ticks %v, last in favor of node %d; want ticks %v and node 2", ticks, successor, want)
	}
	if ticks, _ = i.resignations(2000, 2000+10*maxTicks, isolated); len(ticks) < 9 {
		t.Errorf("after many resignations, resigns at ticks %v in ten times %d ticks, want 9 or more", ticks, maxTicks)
	}
	i.resignations(10_000, 10_001, healthy)
	if ticks, _ = i.resignations(10_001, 10_001+resignTicks, isolated); !slices.Equal(ticks, []int{10_000 + resignTicks}) {
		t.Errorf("after an acknowledgement at tick 10000, resigns at ticks %v, want one: resignTicks later", ticks)
	}
}

// A new primary resigns only after twice resignAfter.
func TestNewPrimaryWaitsForReplicas(t *testing.T) {
	var i isolation
	at := func(int) led { return led{acks: map[int]rule.Ack{1: complete(0), 2: complete(0)}} }
	if ticks, _ := i.resignations(0, 2*resignTicks+1, at); !slices.Equal(ticks, []int{2 * resignTicks}) {
		t.Errorf("resigns at ticks %v, want only tick %d", ticks, 2*resignTicks)
	}
}

// A primary does not resign while a replica acknowledges more writes, while the primary sends a copy of all data, or
// while no other node could be elected.
func TestPrimaryStays(t *testing.T) {
	other := complete(99)
	for name, at := range map[string]func(tick int) led{
		"replicas lag, but progress": func(tick int) led {
			return led{acked: int64(1 + tick), required: 1_000_000, acks: map[int]rule.Ack{1: other, 2: other}}
		},
		"a replica progresses, its keeper is dead": func(tick int) led {
			return led{acked: int64(1 + tick), required: int64(tick), acks: map[int]rule.Ack{1: other}}
		},
		"no keeper replies":                 func(int) led { return led{} },
		"one node is dead, the other loads": func(int) led { return led{acks: map[int]rule.Ack{1: loading}} },
		"one node loads, the other is behind": func(int) led {
			return led{acks: map[int]rule.Ack{1: loading, 2: other}}
		},
		"one node copies, the other waits for its turn": func(int) led {
			return led{sending: true, acks: map[int]rule.Ack{1: other, 2: other}}
		},
		"one node is dead, the other copies": func(int) led {
			return led{sending: true, acks: map[int]rule.Ack{1: complete(100)}}
		},
		"one node is dead, the other is behind": func(int) led {
			return led{acks: map[int]rule.Ack{1: other}}
		},
		"one node is empty, the other is behind": func(int) led {
			return led{acks: map[int]rule.Ack{1: other, 2: {Promised: 5, Reached: true, Empty: true}}}
		},
		"the Redis of the others does not reply": func(int) led {
			return led{acks: map[int]rule.Ack{1: {Promised: 5}, 2: {Promised: 5}}}
		},
		"the others reply only at times": func(tick int) led {
			if tick%resignTicks == 0 {
				return led{}
			}
			return led{acks: map[int]rule.Ack{1: other, 2: other}}
		},
	} {
		i := isolation{epoch: 5, acked: 1, reached: true, since: time.Unix(1_000_000, 0), after: resignAfter}
		if ticks, _ := i.resignations(0, 10*resignTicks, at); len(ticks) > 0 {
			t.Errorf("%s: resigns at ticks %v, want no resignation", name, ticks)
		}
	}
	var i isolation
	same := func(int) led { return led{acks: map[int]rule.Ack{1: complete(100)}} }
	if ticks, _ := i.resignations(0, 3*resignTicks, same); len(ticks) == 0 {
		t.Error("one node is dead, and the other has all data: does not resign")
	}
}

func TestReplicasOf(t *testing.T) {
	for _, c := range []struct {
		slave0, slave1 string
		acked          int64
		sending        bool
	}{
		{"", "", 0, false},
		{"ip=127.0.0.1,port=7001,state=online,offset=70,lag=0,type=replica", "", 70, false},
		{"ip=::1,port=7001,state=online,offset=70,lag=9", "ip=::1,port=7002,state=online,offset=90,lag=1", 90, false},
		{"ip=127.0.0.1,port=7001,state=wait_bgsave,offset=0,lag=0", "", 0, true},
		{"ip=::1,port=7001,state=send_bulk,offset=0,lag=0", "ip=::1,port=7002,state=online,offset=90,lag=1", 90, true},
	} {
		info := map[string]string{"slave0": c.slave0, "slave1": c.slave1, "slave_repl_offset": "x=1,offset=1000"}
		if acked, sending := replicasOf(info); acked != c.acked || sending != c.sending {
			t.Errorf("slave0 %q, slave1 %q: got acked %d, sending %v; want acked %d, sending %v",
				c.slave0, c.slave1, acked, sending, c.acked, c.sending)
		}
	}
}

// A primary that has resigned because no replica reaches it must not win the next election. It may have more data than
// its successor, so it stands for election only after a delay.
func TestResignedPrimaryStandsLater(t *testing.T) {
	k := newIdleKeeper(t)
	k.started, k.problem = true, nil
	k.observed = rule.Observation{Follows: rule.Frozen, AOF: true, Position: rule.Position{Epoch: 5}}
	k.deadline = time.Now().Add(-time.Hour)
	if !k.overdue() {
		t.Error("a node whose deadline has passed does not stand for election")
	}
	k.yields = time.Now().Add(time.Hour)
	if k.overdue() {
		t.Error("a node that has resigned stands for election at once")
	}
}

// A primary that cannot freeze its Redis does not count as resigned. But if it receives the resignation of a later
// primary meanwhile, it does not forget this.
func TestFailedRelease(t *testing.T) {
	for _, c := range []struct{ before, meanwhile, want int64 }{{3, 0, 3}, {3, 7, 7}, {7, 0, 7}} {
		synctest.Test(t, func(t *testing.T) {
			k := newIdleKeeper(t)
			k.started, k.resigned = true, c.before
			<-k.steps // like a step that does not end, so the release times out
			released := make(chan error, 1)
			go func() { released <- k.release(t.Context(), 5) }()
			synctest.Wait()
			k.mu.Lock()
			if k.resigned != max(c.before, 5) {
				t.Errorf("%+v: resigned is %d during the release, want the maximum of before and 5", c, k.resigned)
			}
			k.resigned = max(k.resigned, c.meanwhile)
			k.mu.Unlock()
			if err := <-released; err == nil {
				t.Error("the release succeeded without a Redis")
			}
			if k.resigned != c.want {
				t.Errorf("%+v: resigned is %d after the failed release", c, k.resigned)
			}
		})
	}
}

// No replica can attach to the primary, but all keepers reach each other: another node becomes primary.
func TestUnreachablePrimaryResigns(t *testing.T) {
	t.Parallel()
	s := newShard(t)
	p := s.init(0)
	h := s.load(t)
	c := s.nodes[p].admin()
	defer c.Close()
	set := func(password string) {
		if err := c.ConfigSet(t.Context(), "requirepass", password).Err(); err != nil {
			t.Fatal(err)
		}
	}
	gap := h.during(func() {
		set("secret") // the keeper of the primary keeps its connection
		if err := c.Do(t.Context(), "CLIENT", "KILL", "TYPE", "replica").Err(); err != nil {
			t.Fatal(err)
		}
		s.eventually("another node is primary", func() bool {
			now := s.primary()
			return now >= 0 && now != p
		})
	})
	t.Logf("no replica can attach to the primary: %v without an acknowledged batch", gap)
	if role := s.status()[p].Role; role == status.Primary {
		t.Errorf("the role of the old primary is still %s", role)
	}
	set("")
	h.finish()
}
