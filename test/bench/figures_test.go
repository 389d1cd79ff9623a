package main

import (
	"os"
	"strings"
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
	a, b := newTally(0), newTally(0)
	for range 3 {
		a.add(answer{response: response{status: 200}, took: time.Second})
	}
	b.add(answer{response: response{status: 503, body: []byte("busy\n")}, took: time.Minute})
	b.add(answer{response: response{status: 503, body: []byte("busier")}, took: time.Minute})
	b.add(answer{err: os.ErrDeadlineExceeded, took: time.Hour})
	if !a.allOK() || b.allOK() {
		t.Errorf("all OK: got %t, %t, want true, false", a.allOK(), b.allOK())
	}
	a.merge(b)
	if got, want := a.String(), "200: 3, 503: 2, no answer: 1"; got != want || a.count() != 6 || a.allOK() {
		t.Errorf("got %q, %d requests, all OK %t, want %q, 6, false", got, a.count(), a.allOK(), want)
	}
	if len(a.took) != 5 {
		t.Errorf("got %d latencies, want 5: of the requests that were answered", len(a.took))
	}
	if a.samples[503] != "busy" || a.samples[noAnswer] != os.ErrDeadlineExceeded.Error() {
		t.Errorf("got samples %v", a.samples)
	}
}

func TestParseStat(t *testing.T) {
	const tail = " S 1 42 42 0 -1 4194560 1 2 3 4 150 50 20 10 20 0 5 0 100 200 300"
	for name, in := range map[string]string{
		"plain":                 "42 (nginx)" + tail,
		"spaces":                "42 (nginx: worker process)" + tail,
		"parentheses and lines": "42 (a) S 1 (b\n) c)" + tail,
	} {
		got, err := parseStat([]byte(in))
		if want := (cpu{user: 1700 * time.Millisecond, system: 600 * time.Millisecond}); err != nil || got != want {
			t.Errorf("%s: got %v, %v, want %v", name, got, err, want)
		}
	}
	for name, in := range map[string]string{
		"empty":   "",
		"short":   "42 (nginx) S 1 42 42 0 -1 4194560 1 2 3 4 150 50 20",
		"no time": "42 (nginx) S 1 42 42 0 -1 4194560 1 2 3 4 150 x 20 10 20 0 5",
	} {
		if got, err := parseStat([]byte(in)); err == nil {
			t.Errorf("%s: got %v, want an error", name, got)
		}
	}
}

func TestParseMachine(t *testing.T) {
	got, err := parseMachine([]byte("cpu  100 10 50 1000 20 1 2 3 0 0\ncpu0 1 1 1\n"))
	if want := (machine{busy: 1660 * time.Millisecond, idle: 10200 * time.Millisecond}); err != nil || got != want {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	for _, in := range []string{"", "cpu0 100 10 50 1000 20 1 2 3\n", "cpu  100 10 50\n", "cpu  100 10 50 x 20 1 2 3\n"} {
		if got, err := parseMachine([]byte(in)); err == nil {
			t.Errorf("%q: got %v, want an error", in, got)
		}
	}
}

// TestAccount compares two ways to ask for the time that this process has used.
func TestAccount(t *testing.T) {
	for start := time.Now(); time.Since(start) < 100*time.Millisecond; { // so that there is something to see
	}
	read := func() (account, error) {
		return readAccount([]stack.Process{{Name: "order-1", PID: os.Getpid()}, {Name: "gone", PID: 1 << 30}})
	}
	before, err := read()
	if err != nil {
		t.Fatal(err)
	}
	used, err := own()
	if err != nil {
		t.Fatal(err)
	}
	after, err := read()
	if err != nil {
		t.Fatal(err)
	}
	// stat counts whole ticks of user and of system time, and waited-for children, of which this process has none.
	if low, high := before.total().total(), after.total().total()+2*tick; used.total() < low || used.total() > high {
		t.Errorf("got %v by getrusage, want %v to %v as in stat", used.total(), low, high)
	}
	if before["order"].total() < 5*tick || len(before) != 1 {
		t.Errorf("got %v, want order alone, with what was used", before)
	}
}

func TestCharge(t *testing.T) {
	a := account{"nginx": {user: 1}}
	a.charge(account{"nginx": {user: 10, system: 5}}, account{"nginx": {user: 12, system: 9}, "order": {user: 3}})
	if a["nginx"] != (cpu{user: 3, system: 4}) || a["order"] != (cpu{user: 3}) || a.total().total() != 10 {
		t.Errorf("got %v", a)
	}
}

func TestKindOf(t *testing.T) {
	for name, want := range map[string]string{"nginx": "nginx", "order-1": "order", "redis-order-12": "redis-order", "redis-order": "redis-order"} {
		if got := kindOf(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

func TestReportSaysWhatDisturbed(t *testing.T) {
	for others, want := range map[time.Duration]bool{5: false, 15: true} {
		var b strings.Builder
		at := &point{work: newPhase(0), floor: newPhase(0)}
		at.work.servers["order"] = cpu{user: 50}
		at.work.machine, at.work.ours = machine{busy: 50 + others, idle: 50 - others}, 50
		at.remarks(&b)
		if got := strings.Contains(b.String(), "Disturbed"); got != want {
			t.Errorf("others took %d %%: disturbed is %t, want %t: %s", others, got, want, &b)
		}
	}
}

func TestShares(t *testing.T) {
	p := newPhase(0)
	p.join(&phase{tally: newTally(0), machine: machine{busy: 60, idle: 40}, ours: 50})
	p.join(&phase{tally: newTally(0), machine: machine{busy: 60, idle: 40}, ours: 40})
	if busy, others := p.shares(); busy != 0.6 || others != 0.15 {
		t.Errorf("got %v, %v, want 0.6, 0.15", busy, others)
	}
}
