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
			t.Errorf("percentile %v of %d durations: got %d, want %d", test.p, len(test.of), got, test.want)
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
		t.Errorf("allOK: got %t for 200 only, %t with failures; want true, false", a.allOK(), b.allOK())
	}
	a.merge(b)
	if got, want := a.String(), "200: 3, 503: 2, no response: 1"; got != want || a.count() != 6 || a.allOK() {
		t.Errorf("merged: got %q, count %d, allOK %t; want %q, count 6, allOK false", got, a.count(), a.allOK(), want)
	}
	if len(a.latencies) != 3 {
		t.Errorf("got %d latencies, want those of the 3 requests that got 200", len(a.latencies))
	}
	if a.samples[503] != "busy" || a.samples[noResponse] != os.ErrDeadlineExceeded.Error() {
		t.Errorf("got samples by status %v, want 0: i/o timeout, 503: busy", a.samples)
	}
}

// TestProcessTimesMatchGetrusage checks that readProcessTimes and getrusage report the same processor time for this
// process.
func TestProcessTimesMatchGetrusage(t *testing.T) {
	for start := time.Now(); time.Since(start) < 100*time.Millisecond; { // use some processor time
	}
	read := func() processTimes {
		times, err := readProcessTimes([]stack.Process{{Name: "order-1", PID: os.Getpid()}, {Name: "exited", PID: 1 << 30}})
		if err != nil {
			t.Fatal(err)
		}
		return times
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
	// readProcessTimes adds four values: the user and system time of this process and of its children. Each value is
	// truncated to whole ticks, so the sum may be up to 4 ticks too low.
	if low, high := before.servers(), after.servers()+4*tick; used < low || used > high {
		t.Errorf("getrusage reports %v, want %v to %v, the range from readProcessTimes", used, low, high)
	}
	if len(before) != 3 || before[0].cpu.total() < 5*tick || before[1].found || before[2].cpu == (cpu{}) {
		t.Errorf("got %+v, want order-1: at least %v; \"exited\": not found; generator: more than 0", before, 5*tick)
	}
}

// TestTimeIsUnknownIfAProcessExits checks that the processor time of the servers is unknown after one of two nginx
// processes exits, even if a new process has the same PID.
func TestTimeIsUnknownIfAProcessExits(t *testing.T) {
	process := func(name string, pid int, start uint64, used time.Duration) processTime {
		return processTime{stack.Process{Name: name, PID: pid}, start > 0, start, cpu{user: used}}
	}
	before := processTimes{process("nginx-0", 7, 1, 100), process("nginx-1", 8, 1, 100), process(generator, 9, 1, 5)}
	for name, test := range map[string]struct {
		second processTime
		nginx  time.Duration
		exited string
	}{
		"runs":   {process("nginx-1", 8, 1, 130), 50, ""},
		"exited": {process("nginx-1", 8, 0, 0), 0, "nginx-1 (PID 8)"},
		"reused": {process("nginx-1", 8, 2, 10), 0, "nginx-1 (PID 8)"},
	} {
		u, exited := processTimes{process("nginx-0", 7, 1, 120), test.second, process(generator, 9, 1, 9)}.since(before)
		if u["nginx"].user != test.nginx || u[generator].user != 4 || strings.Join(exited, " ") != test.exited {
			t.Errorf("%s: got %v, exited %q, want nginx %d, generator 4, exited %q", name, u, exited, test.nginx, test.exited)
		}
		p := newPhase()
		p.join(&phase{tally: newTally(), cpu: usage{"nginx": {user: 70}, generator: {user: 1}}})
		p.join(&phase{tally: newTally(), cpu: u, exited: exited})
		if got := p.cpu.servers().total(); (got == 0) != (test.exited != "") || p.cpu[generator].user != 5 {
			t.Errorf("%s: joined phases: got %v, want generator 5, and nginx only without an exit", name, p.cpu)
		}
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
		t.Errorf("got busy %v, others %v; want busy 0.6, others 0.15", busy, others)
	}
}
