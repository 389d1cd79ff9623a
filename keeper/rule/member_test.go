package rule

import (
	"errors"
	"testing"
)

func TestCheckAndInspect(t *testing.T) {
	master := func(epoch int64, process int) *fake {
		return with(replica(epoch, 3), func(f *fake) { f.master, f.follows, f.process = true, "", process })
	}
	for _, c := range []struct {
		name     string
		redis    *fake
		follows  string
		found    bool
		promise  Promise
		lost     bool
		primary  bool
		promised int64
		frozen   bool
	}{
		{"new node", replica(0, 0), Frozen, false, Promise{}, false, false, 0, true},
		{"single shard before init", with(master(0, 1), func(f *fake) { f.log = nil }), "", false, Promise{},
			false, false, 0, false},
		{"no file", replica(2, 3), Frozen, false, Promise{}, true, false, 0, true},
		{"no file, follows", replica(2, 3), "b:1", false, Promise{}, true, false, 0, false},
		{"older file", replica(2, 3), Frozen, true, Promise{1, ""}, true, false, 0, true},
		{"newer data of a followed node", replica(2, 3), "b:1", true, Promise{1, ""}, false, false, 2, false},
		{"file without data", replica(0, 0), Frozen, true, Promise{4, ""}, false, false, 4, true},
		{"restarted keeper of a primary", master(2, 7), "", true, Promise{2, "7"}, false, true, 2, false},
		{"restarted Redis of a primary", master(2, 8), "", true, Promise{2, "7"}, false, false, 2, true},
		{"promoted by hand", master(2, 7), "", true, Promise{2, ""}, false, false, 2, true},
		{"a promise after the epoch", master(2, 7), "", true, Promise{3, "7"}, false, false, 3, true},
	} {
		c.redis.follows = c.follows
		d := &memory{promise: c.promise}
		m := NewMember(0, addrs, c.promise, c.redis, d)
		o, _ := c.redis.Observe(t.Context())
		err := m.Check(o, c.found)
		if errors.Is(err, ErrLostPromise) != c.lost {
			t.Errorf("%s: Check: got error %v, want ErrLostPromise: %v", c.name, err, c.lost)
		}
		if err != nil {
			continue
		}
		o, err = m.Inspect(t.Context())
		if err != nil || m.Primary(o) != c.primary || m.Promised() != c.promised || o.Frozen() != c.frozen {
			t.Errorf("%s: Inspect: got %+v, error %v, primary %v, promise %d; want primary %v, promise %d, frozen %v",
				c.name, o, err, m.Primary(o), m.Promised(), c.primary, c.promised, c.frozen)
		}
	}
}

func TestStepDownAndRelease(t *testing.T) {
	primary := func() (*fake, *Member, *memory) {
		f := with(replica(2, 3), func(f *fake) { f.master, f.follows, f.process = true, "", 7 })
		d := &memory{promise: Promise{2, "7"}}
		return f, NewMember(0, addrs, d.promise, f, d), d
	}
	f, m, d := primary()
	if err := m.StepDown(t.Context(), 2); err != nil || !f.master || d.saves > 0 {
		t.Errorf("StepDown for the promised epoch: got error %v, want no error and no change", err)
	}
	if err := m.StepDown(t.Context(), 3); err != nil || f.follows != Frozen || d.promise.Epoch != 3 {
		t.Errorf("StepDown: got error %v, Redis %v, promise %+v; want a freeze and epoch 3", err, f, d.promise)
	}
	f, m, d = primary()
	if err := m.Release(t.Context(), 1); err == nil || !f.master {
		t.Errorf("Release of another epoch: got error %v, want an error and no freeze", err)
	}
	if err := m.Release(t.Context(), 2); err != nil || f.follows != Frozen || d.saves > 0 {
		t.Errorf("Release: got error %v, Redis %v; want a frozen Redis and no new promise", err, f)
	}
}
