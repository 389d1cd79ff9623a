package rule

import (
	"context"
	"errors"
	"testing"
)

// newMember returns node 0 with a stored promise.
func newMember(f *fake, epoch int64) (*Member, *memory) {
	d := &memory{promise: Promise{Epoch: epoch}}
	return NewMember(0, addrs, d.promise, f, d), d
}

// with is a helper that changes a Redis and returns it.
func with(f *fake, change func(*fake)) *fake {
	change(f)
	return f
}

var errDisk = errors.New("no space left on device")

func TestVote(t *testing.T) {
	for _, c := range []struct {
		name      string
		redis     *fake
		promise   int64
		candidate Candidate
		disk      error
		granted   bool
		promised  int64
	}{
		{"the candidate has the same", replica(1, 5), 1, Candidate{1, 2, Position{1, 5}, ""}, nil, true, 2},
		{"the candidate has more", replica(1, 5), 1, Candidate{1, 2, Position{1, 6}, ""}, nil, true, 2},
		{"the candidate has a newer epoch", replica(1, 5), 1, Candidate{1, 4, Position{2, 0}, ""}, nil, true, 4},
		{"the candidate is behind", replica(1, 5), 1, Candidate{1, 2, Position{1, 4}, ""}, nil, false, 2},
		{"the candidate has an older epoch", replica(2, 0), 2, Candidate{1, 3, Position{1, 9}, ""}, nil, false, 3},
		{"the epoch is promised", replica(1, 5), 2, Candidate{1, 2, Position{1, 9}, ""}, nil, false, 2},
		{"the epoch is below the promise", replica(1, 5), 3, Candidate{1, 2, Position{1, 9}, ""}, nil, false, 3},
		{"the candidate has the same Redis", replica(1, 5), 1, Candidate{1, 2, Position{1, 5}, "0"}, nil, false, 1},
		{"this node is empty", replica(0, 0), 0, Candidate{1, 2, Position{1, 9}, ""}, nil, false, 0},
		{"the disk is full", replica(1, 5), 1, Candidate{1, 2, Position{1, 5}, ""}, errDisk, false, 1},
		{
			"the Redis does not answer", with(replica(1, 5), func(f *fake) { f.fail = errRefused }), 1,
			Candidate{1, 2, Position{1, 5}, ""}, nil, false, 1,
		},
		{
			"the Redis loads its data", with(replica(1, 5), func(f *fake) { f.loading = true }), 1,
			Candidate{1, 2, Position{1, 5}, ""}, nil, false, 1,
		},
		{
			"a copy was interrupted", with(replica(1, 5), func(f *fake) { f.broken = true }), 1,
			Candidate{1, 2, Position{1, 5}, ""}, nil, false, 1,
		},
	} {
		m, d := newMember(c.redis, c.promise)
		c.redis.follows = "c:1"
		d.fail = c.disk
		b := m.Vote(t.Context(), c.candidate)
		if b.Granted != c.granted || b.Promised != c.promised || d.promise.Epoch != c.promised || m.Promised() != c.promised {
			t.Errorf("%s: got %+v and the stored promise %d, want granted %v and the promise %d",
				c.name, b, d.promise.Epoch, c.granted, c.promised)
		}
		if frozen := c.redis.follows == Frozen; frozen != (c.promised > c.promise) {
			t.Errorf("%s: the Redis follows %q, want it frozen if and only if the node has a new promise",
				c.name, c.redis.follows)
		}
	}
}

// A voter reads its position after the freeze, because the voter may receive writes until then.
func TestVoterReadsItsPositionAfterTheFreeze(t *testing.T) {
	f := replica(1, 5)
	m, d := newMember(f, 1)
	f.follows = "c:1"
	m.redis = &lateRedis{fake: f, disk: d, t: t, late: entry{1, 6}}
	if b := m.Vote(t.Context(), Candidate{Node: 1, Epoch: 2, Position: Position{1, 5}}); b.Granted {
		t.Errorf("got %+v, want no vote: the node has received a write before the freeze", b)
	}
}

// lateRedis receives another write just before it is frozen.
type lateRedis struct {
	*fake
	disk *memory
	t    *testing.T
	late entry
}

// Freeze implements Redis.
func (r *lateRedis) Freeze(ctx context.Context) (Observation, error) {
	if r.disk.promise.Epoch != 2 {
		r.t.Errorf("freeze: the stored promise is %+v, want epoch 2 before the freeze", r.disk.promise)
	}
	r.append(r.late)
	return r.fake.Freeze(ctx)
}

func TestPrevote(t *testing.T) {
	primary := with(replica(1, 5), func(f *fake) { f.master, f.follows, f.process = true, "", 7 })
	for _, c := range []struct {
		name      string
		redis     *fake
		promise   Promise
		candidate Candidate
		healthy   bool
		granted   bool
	}{
		{"no primary", replica(1, 5), Promise{1, ""}, Candidate{1, 2, Position{1, 5}, ""}, false, true},
		{"a healthy primary", replica(1, 5), Promise{1, ""}, Candidate{1, 2, Position{1, 5}, ""}, true, false},
		{"this node is primary", primary, Promise{1, "7"}, Candidate{1, 2, Position{1, 5}, ""}, false, false},
		{"the candidate is behind", replica(1, 5), Promise{1, ""}, Candidate{1, 2, Position{1, 4}, ""}, false, false},
		{"the epoch is promised", replica(1, 5), Promise{2, ""}, Candidate{1, 2, Position{1, 5}, ""}, false, false},
		{"the same Redis", replica(1, 5), Promise{1, ""}, Candidate{1, 2, Position{1, 5}, "0"}, false, false},
		{"this node is empty", replica(0, 0), Promise{1, ""}, Candidate{1, 2, Position{1, 5}, ""}, false, false},
	} {
		d := &memory{promise: c.promise}
		before := *c.redis
		b := NewMember(0, addrs, c.promise, c.redis, d).Prevote(t.Context(), c.candidate, func() bool { return c.healthy })
		if b.Granted != c.granted || b.Granted == (b.Reason != "") || d.saves > 0 || c.redis.follows != before.follows {
			t.Errorf("%s: got %+v, want granted %v and no change", c.name, b, c.granted)
		}
	}
}

func TestElection(t *testing.T) {
	for _, c := range []struct {
		name   string
		before func(f *fake, m *Member) // between the votes and the promotion
		wins   bool
	}{
		{"", func(*fake, *Member) {}, true},
		{"the Redis restarts", func(f *fake, _ *Member) { f.restart() }, false},
		{"the node votes for another", func(_ *fake, m *Member) {
			m.Vote(t.Context(), Candidate{1, 5, Position{9, 9}, ""})
		}, false},
		{"the node receives a beat of a newer primary", func(_ *fake, m *Member) {
			m.Follow(t.Context(), Beat{Node: 1, Epoch: 5, Attach: true}, false)
		}, false},
		{"the node receives a beat of a primary of this epoch", func(_ *fake, m *Member) {
			m.Follow(t.Context(), Beat{Node: 1, Epoch: 4, Attach: true}, false)
		}, false},
		{"the Redis has changed", func(f *fake, _ *Member) { f.append(entry{1, 99}) }, false},
	} {
		f := replica(1, 5)
		f.follows = "b:1"
		m, d := newMember(f, 1)
		standing, err := m.Standing(t.Context(), 3)
		if err != nil || standing.Epoch != 4 || d.saves > 0 || f.follows != "b:1" {
			t.Fatalf("%s: Standing: got %+v, %v; want epoch 4 and no change", c.name, standing, err)
		}
		candidate, err := m.Stand(t.Context(), standing)
		if err != nil || d.promise != (Promise{4, "0"}) || f.follows != Frozen || candidate.Position != (Position{1, 5}) {
			t.Fatalf("%s: Stand: got %+v, error %v, promise %+v; want 1:5, {Epoch:4 Candidate:0} and a frozen node",
				c.name, candidate, err, d.promise)
		}
		c.before(f, m)
		err = m.Win(t.Context(), candidate)
		o, _ := f.Observe(t.Context())
		if (err == nil) != c.wins || m.Primary(o) != c.wins || f.master != c.wins {
			t.Errorf("%s: Win: got %v and %+v, want wins %v", c.name, err, o, c.wins)
		}
		if c.wins && o.Position != (Position{4, 5}) {
			t.Errorf("%s: position %v, want 4:5", c.name, o.Position)
		}
	}
}

func TestStandNeedsDataAndDisk(t *testing.T) {
	for name, f := range map[string]*fake{
		"empty": replica(0, 0), "loading": with(replica(1, 1), func(f *fake) { f.loading = true }),
		"broken": with(replica(1, 1), func(f *fake) { f.broken = true }),
		"hung":   with(replica(1, 1), func(f *fake) { f.fail = errRefused }),
	} {
		m, d := newMember(f, 1)
		if c, err := m.Standing(t.Context(), 0); err == nil || d.saves > 0 {
			t.Errorf("%s: Standing: got %+v, want an error", name, c)
		}
	}
	m, d := newMember(replica(1, 1), 1)
	c, _ := m.Standing(t.Context(), 0)
	d.fail = errDisk
	if _, err := m.Stand(t.Context(), c); !errors.Is(err, errDisk) || m.Promised() != 1 {
		t.Errorf("Stand with a full disk: got %v, want the error of the disk and no new promise", err)
	}
}
