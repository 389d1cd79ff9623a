package main

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"checkout/test/stack"
)

func TestPercentile(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(i+1))
	}
	for _, test := range []struct {
		of   []time.Duration
		p    float64
		want time.Duration
	}{
		{nil, 50, 0},
		{hundred[:1], 0, 1}, {hundred[:1], 50, 1}, {hundred[:1], 100, 1},
		{hundred[:2], 50, 1}, {hundred[:2], 51, 2},
		{hundred[:3], 50, 2}, {hundred[:4], 50, 2},
		{hundred, 0, 1}, {hundred, 1, 1}, {hundred, 50, 50}, {hundred, 99, 99}, {hundred, 99.1, 100}, {hundred, 100, 100},
	} {
		if got := percentile(test.of, test.p); got != test.want {
			t.Errorf("%v%% of %d: got %d, want %d", test.p, len(test.of), got, test.want)
		}
	}
}

func TestTally(t *testing.T) {
	a, b := newTally(), newTally()
	for range 3 {
		a.add(result{response: response{status: 200}, latency: time.Second})
	}
	b.add(result{response: response{status: 503, body: []byte("busy\n")}, latency: time.Minute})
	b.add(result{response: response{status: 503, body: []byte("busier")}, latency: time.Minute})
	b.add(result{err: os.ErrDeadlineExceeded})
	if !a.allOK() || b.allOK() {
		t.Errorf("allOK is %t and %t, want true and false", a.allOK(), b.allOK())
	}
	a.merge(b)
	if got, want := a.String(), "200: 3, 503: 2, no response: 1"; got != want || a.count() != 6 || a.allOK() {
		t.Errorf("got %q, %d requests, allOK %t, want %q, 6, false", got, a.count(), a.allOK(), want)
	}
	if len(a.latencies) != 5 {
		t.Errorf("got %d latencies, want 5", len(a.latencies))
	}
	if a.samples[503] != "busy" || a.samples[noResponse] != os.ErrDeadlineExceeded.Error() {
		t.Errorf("got the samples %v, want the first body and the first error", a.samples)
	}
}

// TestReadUsageMatchesGetrusage checks that readUsage and getrusage report the same processor time for this process.
func TestReadUsageMatchesGetrusage(t *testing.T) {
	for start := time.Now(); time.Since(start) < 100*time.Millisecond; { // use some processor time
	}
	read := func() usage {
		u, err := readUsage([]stack.Process{{Name: "order-1", PID: os.Getpid()}, {Name: "exited", PID: 1 << 30}})
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	before := read()
	var used time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var r syscall.Rusage
		if err := syscall.Getrusage(who, &r); err != nil {
			t.Fatal(err)
		}
		used += time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	after := read()
	// readUsage truncates four values to whole ticks: the user and system time of this process and of its children.
	if low, high := before.servers().total(), after.servers().total()+4*tick; used < low || used > high {
		t.Errorf("getrusage reports %v, want a value between the two values of readUsage, %v and %v", used, low, high)
	}
	if before["order"].total() < 5*tick || len(before) != 2 || before[generator] == (cpu{}) {
		t.Errorf("got %v, want only order and generator, order at least %v, generator above 0", before, 5*tick)
	}
}

func TestReadHostCPUAdvances(t *testing.T) {
	before, err := readHostCPU()
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	after, err := readHostCPU()
	if err != nil || after.busy < before.busy || after.busy+after.idle <= before.busy+before.idle {
		t.Errorf("readHostCPU twice: got %v, then %v with error %v; want larger times", before, after, err)
	}
}

func TestUsageAdd(t *testing.T) {
	u := usage{"nginx": {user: 1}, generator: {user: 7}}
	u.add(usage{"nginx": {user: 10, system: 5}}, usage{"nginx": {user: 12, system: 9}, "order": {user: 3}})
	if u["nginx"] != (cpu{user: 3, system: 4}) || u["order"] != (cpu{user: 3}) || u.servers().total() != 10 {
		t.Errorf("usage.add: got %v, want user 3 and system 4 for nginx, and user 3 for order", u)
	}
}

func TestProcessKind(t *testing.T) {
	for name, want := range map[string]string{
		"nginx": "nginx", "order-1": "order", "redis-order-12": "redis-order", "redis-order": "redis-order",
		"redis-order-0-2": "redis-order",
	} {
		if got := processKind(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

func TestReportWarnsOfOtherPrograms(t *testing.T) {
	for others, want := range map[time.Duration]bool{5: false, 15: true} {
		var w strings.Builder
		p := &point{work: newPhase(), baseline: newPhase()}
		p.work.add(result{response: response{status: 200}})
		p.work.cpu["order"] = cpu{user: 50}
		p.work.share = cpuShare{all: 100, busy: 50 + others, own: 50}
		p.failures(&w)
		if got := strings.Contains(w.String(), "disturbed"); got != want {
			t.Errorf("other programs took %d %%: warning is %t, want %t: %s", others, got, want, &w)
		}
	}
}

func TestPhasesJoinShares(t *testing.T) {
	p := newPhase()
	p.join(&phase{tally: newTally(), share: cpuShare{all: 100, busy: 60, own: 50}})
	p.join(&phase{tally: newTally(), share: cpuShare{all: 100, busy: 60, own: 40}})
	if busy, others := p.share.shares(); busy != 0.6 || others != 0.15 {
		t.Errorf("got %v, %v, want 0.6, 0.15", busy, others)
	}
}
