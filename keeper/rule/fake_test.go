package rule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// addrs are the addresses of the three nodes in tests.
var addrs = []string{"a:1", "b:1", "c:1"}

// entry is a write. The first write of a primary is its epoch.
type entry struct {
	epoch int64
	id    int // 0: the epoch itself
}

// fake is a Redis in memory. It implements the interface Redis.
type fake struct {
	log     []entry // data
	synced  []entry // the data that a restart loads
	master  bool
	follows string
	process int  // changes with each restart
	stale   bool // the data in memory are not on disk: a copy is not written yet
	loading bool // replaces its data by a copy
	copied  []entry
	broken  bool  // a copy has failed halfway: the AOF is off
	fail    error // error of every command, or nil
	offset  int64 // replication offset
	locked  bool  // cannot be frozen: a mutation
	foreign bool
}

var errRefused = errors.New("connection refused")

func (f *fake) position() (p Position) {
	for _, e := range f.log {
		if e.id == 0 {
			p.Epoch = e.epoch
		} else {
			p.Seq++
		}
	}
	return p
}

func (f *fake) observation() Observation {
	return Observation{
		RunID: strconv.Itoa(f.process), Master: f.master, Follows: f.follows, LinkUp: !f.master && f.follows != Frozen,
		Offset: f.offset, Loading: f.loading, AOF: !f.broken, Keys: len(f.log) > 0 || f.foreign, Position: f.position(),
	}
}

// Observe implements Redis.
func (f *fake) Observe(context.Context) (Observation, error) { return f.observation(), f.fail }

// Freeze implements Redis.
func (f *fake) Freeze(context.Context) (Observation, error) {
	if f.fail == nil && f.loading {
		return Observation{}, errors.New("LOADING")
	}
	if f.fail == nil && !f.locked {
		f.master, f.follows = false, Frozen
	}
	o := f.observation()
	if f.locked { // claims to be frozen
		o.Master, o.Follows = false, Frozen
	}
	return o, f.fail
}

// Follow implements Redis.
func (f *fake) Follow(_ context.Context, addr string) error {
	if f.fail == nil {
		f.master, f.follows = false, addr
	}
	return f.fail
}

// Promote implements Redis.
func (f *fake) Promote(_ context.Context, epoch int64, check func(Observation) error) error {
	o := f.observation()
	if f.locked {
		o.Master, o.Follows = false, Frozen
	}
	if err := errors.Join(f.fail, check(o)); err != nil {
		return err
	}
	f.master, f.follows = true, ""
	f.append(entry{epoch: epoch})
	return nil
}

func (f *fake) append(e entry) {
	f.log = append(slices.Clip(f.log), e)
	if !f.stale {
		f.synced = f.log
	}
}

// restart starts another process. As in production, the process starts frozen.
func (f *fake) restart() {
	*f = fake{log: f.synced, synced: f.synced, follows: Frozen, process: f.process + 3, locked: f.locked}
}

// replicate does one step of the replication from the Redis that f follows: f begins or completes a copy of all data,
// or receives up to `most` writes.
func (f *fake) replicate(from *fake, most int) {
	common := 0
	for common < min(len(f.log), len(from.log)) && f.log[common] == from.log[common] {
		common++
	}
	switch {
	case f.loading:
		f.log, f.loading, f.stale, f.broken = f.copied, false, true, false
	case f.broken || common < len(f.log) || len(f.log) == 0 && len(from.log) > 0:
		f.loading, f.copied = true, from.log
	default:
		for _, e := range from.log[common:min(len(from.log), common+most)] {
			f.append(e)
		}
	}
}

// acknowledges reports whether f, as a replica, has the first n entries of its primary on disk.
func (f *fake) acknowledges(from *fake, n int) bool {
	return !f.loading && !f.broken && !f.stale && len(f.log) >= n && slices.Equal(f.log[:n], from.log[:n])
}

// memory is a disk in memory. It implements the interface Disk.
type memory struct {
	promise Promise
	fail    error
	saves   int
}

// Save implements Disk.
func (d *memory) Save(p Promise) error {
	if d.fail == nil {
		d.promise = p
		d.saves++
	}
	return d.fail
}

// Kept implements Disk.
func (d *memory) Kept() bool { return d.promise.Epoch > 0 }

// replica returns a frozen Redis with the given position.
func replica(epoch int64, seq int) *fake {
	f := &fake{follows: Frozen}
	if epoch > 0 {
		f.append(entry{epoch: epoch})
	}
	for i := range seq {
		f.append(entry{epoch, 1 + i})
	}
	return f
}

// String describes a Redis in the messages of a failed test.
func (f *fake) String() string {
	return fmt.Sprintf("{%v master %v, follows %q, loading %v, broken %v}",
		f.position(), f.master, f.follows, f.loading, f.broken)
}
