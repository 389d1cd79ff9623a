package rule

import (
	"errors"
	"strings"
	"testing"
)

func TestPlan(t *testing.T) {
	primary := with(replica(1, 0), func(f *fake) { f.master, f.follows = true, "" })
	for _, c := range []struct {
		name    string
		redis   *fake
		promise Promise
		stage   Stage
		epoch   int64
		err     string
	}{
		{"new", replica(0, 0), Promise{}, First, 1, ""},
		{"data of a single shard", with(replica(0, 0), func(f *fake) { f.log = []entry{{0, 1}} }), Promise{}, First, 1, ""},
		{"interrupted", replica(0, 0), Promise{1, "5"}, Retry, 1, ""},
		{"granted to another", replica(0, 0), Promise{1, ""}, "", 0, "promised epoch 1"},
		{"empty", replica(0, 0), Promise{3, ""}, "", 0, "promised epoch 3"},
		{"primary", primary, Promise{1, "0"}, "", 0, "primary of epoch 1"},
		{"former primary", replica(1, 9), Promise{1, "5"}, Again, 2, ""},
		{"loading", with(replica(0, 0), func(f *fake) { f.loading = true }), Promise{}, "", 0, "still loading its data"},
	} {
		d := &memory{promise: c.promise}
		f, err := NewMember(0, addrs, c.promise, c.redis, d).Plan(t.Context())
		if c.err == "" && (err != nil || f.Stage != c.stage || f.Epoch != c.epoch) ||
			c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) || d.saves > 0 {
			t.Errorf("%s: got %+v, %v; want %s, epoch %d, error %q and no change", c.name, f, err, c.stage, c.epoch, c.err)
		}
	}
}

func TestGrant(t *testing.T) {
	ask := func(stage Stage, epoch int64) Founding {
		return Founding{Candidate: Candidate{Node: 1, Epoch: epoch, RunID: "9"}, Stage: stage}
	}
	lost := &memory{fail: errDisk}
	// A copy was interrupted: the memory is empty, but the disk has data of epoch 1.
	interrupted := with(replica(1, 5), func(f *fake) { f.broken, f.log = true, nil })
	for _, c := range []struct {
		name     string
		redis    *fake
		promise  Promise
		disk     *memory
		founding Founding
		granted  bool
	}{
		{"first", replica(0, 0), Promise{}, nil, ask(First, 1), true},
		{"the same Redis", with(replica(0, 0), func(f *fake) { f.process = 9 }), Promise{}, nil, ask(First, 1), false},
		{"the disk is full", replica(0, 0), Promise{}, lost, ask(First, 1), false},
		{"data", replica(1, 0), Promise{1, ""}, nil, ask(First, 1), false},
		{"other data", with(replica(0, 0), func(f *fake) { f.foreign = true }), Promise{}, nil, ask(First, 1), false},
		{"loading", with(replica(0, 0), func(f *fake) { f.loading = true }), Promise{}, nil, ask(First, 1), false},
		{"an interrupted copy", interrupted, Promise{}, nil, ask(First, 1), false},
		{
			"other data without a file", with(replica(0, 0), func(f *fake) { f.foreign, f.broken = true, true }), Promise{}, nil,
			ask(First, 1), false,
		},
		{"hung", with(replica(0, 0), func(f *fake) { f.fail = errRefused }), Promise{}, nil, ask(First, 1), false},
		{"a promise", replica(0, 0), Promise{1, ""}, nil, ask(First, 1), false},
		{"retry", replica(0, 0), Promise{1, ""}, nil, ask(Retry, 1), true},
		{"retry of the first request", replica(0, 0), Promise{}, nil, ask(Retry, 1), true},
		{"retry, another founding", replica(0, 0), Promise{1, "0"}, nil, ask(Retry, 1), false},
		{"retry, a newer promise", replica(0, 0), Promise{2, ""}, nil, ask(Retry, 1), false},
		{"again", replica(0, 0), Promise{1, ""}, nil, ask(Again, 2), true},
		{"again, data", replica(1, 0), Promise{1, ""}, nil, ask(Again, 2), false},
		{"again, an interrupted copy", interrupted, Promise{1, ""}, nil, ask(Again, 2), false},
		{"again, an older epoch", replica(0, 0), Promise{2, ""}, nil, ask(Again, 2), false},
		{"again, a lost disk", replica(0, 0), Promise{}, nil, ask(Again, 2), false},
		{"again, a lost disk of a running keeper", replica(0, 0), Promise{1, ""}, &memory{}, ask(Again, 2), false},
	} {
		d := c.disk
		if d == nil {
			d = &memory{promise: c.promise}
		}
		m := NewMember(0, addrs, c.promise, c.redis, d)
		c.founding.Dry = true
		dry, saves := m.Grant(t.Context(), c.founding), d.saves
		c.founding.Dry = false
		b := m.Grant(t.Context(), c.founding)
		if b.Granted != c.granted || b.Granted == (b.Reason != "") || saves > 0 || b.Granted && !dry.Granted {
			t.Errorf("%s: got %+v; the dry run got %+v and stored %d promises, want 0; want granted %v",
				c.name, b, dry, saves, c.granted)
		}
		if c.granted && d.promise != (Promise{Epoch: c.founding.Epoch}) || !c.granted && m.promise != c.promise {
			t.Errorf("%s: the stored promise is %+v, want granted %v, and a new promise only then",
				c.name, d.promise, c.granted)
		}
	}
}

func TestFounding(t *testing.T) {
	for _, epoch := range []int64{0, 1} { // the stages First and Again
		f := with(replica(epoch, 4), func(f *fake) { f.foreign = epoch == 0 })
		d := &memory{promise: Promise{Epoch: epoch}}
		m := NewMember(0, addrs, d.promise, f, d)
		founding, err := m.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c, err := m.Prepare(t.Context(), founding)
		if err != nil || d.promise != (Promise{Epoch: epoch + 1, Candidate: "0"}) {
			t.Fatalf("%s: Prepare: got the error %v and the promise %+v, want the next epoch and candidate 0",
				founding.Stage, err, d.promise)
		}
		if err := m.Win(t.Context(), c); err != nil || !m.Primary(f.observation()) {
			t.Errorf("%s: Win: got %v and %v, want a primary", founding.Stage, err, f)
		}
	}
	m, d := newMember(replica(0, 0), 0)
	founding, _ := m.Plan(t.Context())
	if _, err := m.Prepare(t.Context(), founding); err != nil || m.Cancel(founding) != nil || d.promise != (Promise{}) {
		t.Errorf("Prepare and Cancel: got the promise %+v and the error %v, want neither", d.promise, err)
	}
}

// Two requests for keeper init on one node: the second one must not replace or cancel the promise of the first one.
func TestTwoFoundingsOnOneNode(t *testing.T) {
	f := replica(0, 0)
	m, d := newMember(f, 0)
	first, _ := m.Plan(t.Context())
	second, _ := m.Plan(t.Context())
	c, err := m.Prepare(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < 3; i++ {
		other, _ := newMember(with(replica(0, 0), func(f *fake) { f.process = i }), 0)
		if b := other.Grant(t.Context(), first); !b.Granted {
			t.Fatalf("node %d: got %+v, want a grant", i, b)
		}
	}
	if _, err := m.Prepare(t.Context(), second); !errors.Is(err, ErrOvertaken) {
		t.Errorf("second Prepare: got %v, want %v", err, ErrOvertaken)
	}
	if err := m.Win(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Prepare(t.Context(), second); !errors.Is(err, ErrOvertaken) {
		t.Errorf("second Prepare after Win: got %v, want %v", err, ErrOvertaken)
	}
	if o, err := m.Inspect(t.Context()); err != nil || !m.Primary(o) || d.promise != (Promise{1, "0"}) {
		t.Errorf("Inspect: got %+v, error %v, promise %+v; want a primary and {Epoch:1 Candidate:0}", o, err, d.promise)
	}
}

// Two nodes run keeper init. Node 0 must not continue after it has granted the request of node 1 (stage First) or
// obeyed a beat of node 1 (stage Retry).
func TestTwoFoundingsOnTwoNodes(t *testing.T) {
	for _, before := range []Promise{{}, {1, "5"}} { // the stages First and Retry
		d := &memory{promise: before}
		m := NewMember(0, addrs, before, replica(0, 0), d)
		own, err := m.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if before == (Promise{}) {
			other := Founding{Candidate: Candidate{Node: 1, Epoch: 1, RunID: "9"}, Stage: First}
			if b := m.Grant(t.Context(), other); !b.Granted {
				t.Fatalf("got %+v, want a grant", b)
			}
		} else if _, err := m.Follow(t.Context(), Beat{Node: 1, Epoch: 1, Attach: true}, true); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Prepare(t.Context(), own); !errors.Is(err, ErrOvertaken) || d.promise != (Promise{1, ""}) {
			t.Errorf("%s: Prepare: got %v and the promise %+v, want %v and epoch 1 without a candidate",
				own.Stage, err, d.promise, ErrOvertaken)
		}
	}
}
