package rule

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestFollow(t *testing.T) {
	beat := Beat{Node: 1, Epoch: 2, Position: Position{2, 9}, Attach: true}
	wait := Beat{Node: 1, Epoch: 2, Position: Position{2, 9}}
	for _, c := range []struct {
		name     string
		redis    *fake
		follows  string // the address that the Redis follows before the beat
		promise  int64
		beat     Beat
		agreed   bool
		disk     error
		want     string // the address that the Redis follows after the beat
		promises int64
		err      string
	}{
		{"a new primary", replica(1, 5), Frozen, 1, beat, false, nil, "b:1", 2, ""},
		{"the primary of the promise", replica(1, 5), Frozen, 2, beat, false, nil, "b:1", 2, ""},
		{"the followed primary", replica(2, 5), "b:1", 2, beat, false, nil, "b:1", 2, ""},
		{"an older primary", replica(1, 5), Frozen, 3, beat, false, nil, Frozen, 3, ErrOlder.Error()},
		{"a primary older than the data", replica(3, 5), "c:1", 1, beat, false, nil, "c:1", 1, ErrOlder.Error()},
		{"another node was followed", replica(1, 5), "c:1", 1, beat, false, nil, "b:1", 2, ""},
		{"not its turn", replica(1, 5), Frozen, 1, wait, false, nil, Frozen, 2, ""},
		{"not its turn, follows another", replica(1, 5), "c:1", 1, wait, false, nil, Frozen, 2, ""},
		{"not its turn, but follows already", replica(1, 5), "b:1", 2, wait, false, nil, "b:1", 2, ""},
		{"the disk is full", replica(1, 5), "c:1", 1, beat, false, errDisk, "c:1", 1, errDisk.Error()},
		{"a former primary", with(replica(1, 5), func(f *fake) { f.master = true }), "", 1, beat, false, nil, "b:1", 2, ""},
		{"empty", replica(0, 0), Frozen, 0, beat, false, nil, Frozen, 0, ErrUnagreed.Error()},
		{"empty, agreed", replica(0, 0), Frozen, 0, beat, true, nil, "b:1", 2, ""},
		{"empty, follows already", replica(0, 0), "b:1", 2, beat, false, nil, "b:1", 2, ""},
		{"empty with a promise", replica(0, 0), Frozen, 1, beat, false, nil, "b:1", 2, ""},
		{"empty, follows already in an older epoch", replica(0, 0), "b:1", 1, beat, false, nil, "b:1", 2, ""},
		{"empty, not its turn", replica(0, 0), Frozen, 0, wait, false, nil, Frozen, 0, ""},
		{
			"a copy was interrupted", with(replica(1, 5), func(f *fake) { f.broken = true }), Frozen, 1, beat, false, nil,
			"b:1", 2, "",
		},
		{
			"data of another system", with(replica(0, 0), func(f *fake) { f.foreign = true }), Frozen, 0, beat, true, nil,
			Frozen, 0, ErrForeign.Error(),
		},
		{"loading", with(replica(1, 5), func(f *fake) { f.loading = true }), "b:1", 2, beat, false, nil, "b:1", 2, ""},
	} {
		c.redis.follows = c.follows
		m, d := newMember(c.redis, c.promise)
		d.fail = c.disk
		a, err := m.Follow(t.Context(), c.beat, c.agreed)
		if text := ""; err != nil {
			text = err.Error()
			if c.err == "" || !strings.Contains(text, c.err) {
				t.Errorf("%s: got the error %q, want %q", c.name, text, c.err)
			}
		} else if c.err != "" {
			t.Errorf("%s: got no error, want %q", c.name, c.err)
		}
		if c.redis.follows != c.want || d.promise.Epoch != c.promises || a.Promised != c.promises {
			t.Errorf("%s: the Redis follows %q, stored promise %+v, ack %+v; want %q and the promise %d",
				c.name, c.redis.follows, d.promise, a, c.want, c.promises)
		}
	}
}

// A replica whose link is up is in sync only if it has reached the required offset. The link alone does not suffice: it
// is up after a full copy, but the primary may not have begun to send the writes that follow the copy.
func TestReplicaInSyncHasTheRequiredOffset(t *testing.T) {
	f := replica(2, 5)
	f.follows = "b:1"
	m, _ := newMember(f, 2)
	for _, c := range []struct {
		required, offset int64
		want             bool
	}{{0, 500, true}, {900, 500, false}, {900, 899, false}, {900, 900, true}, {900, 2000, true}} {
		f.offset = c.offset
		beat := Beat{Node: 1, Epoch: 2, Position: Position{2, 9}, Required: c.required, Attach: true}
		if a, err := m.Follow(t.Context(), beat, false); err != nil || a.InSync != c.want || a.Offset != c.offset {
			t.Errorf("%+v: got the ack %+v and the error %v, want in_sync as in the case", c, a, err)
		}
	}
}

// After a node has frozen its Redis, it checks again that its data has no higher epoch than the primary. The Redis may
// have received newer data just before the freeze.
func TestFollowerReadsItsPositionAfterTheFreeze(t *testing.T) {
	f := replica(1, 5)
	m, d := newMember(f, 1)
	f.follows = "c:1"
	m.redis = &lateRedis{fake: f, disk: d, t: t, late: entry{epoch: 3}}
	beat := Beat{Node: 1, Epoch: 2, Attach: true}
	if _, err := m.Follow(t.Context(), beat, false); !errors.Is(err, ErrOlder) || f.follows != Frozen {
		t.Errorf("got %v and %v, want %v and a frozen node", err, f, ErrOlder)
	}
}

// An empty node stores its promise again: it may have lost its disk, and the state file with it.
func TestEmptyNodeStoresItsPromiseAgain(t *testing.T) {
	m, d := newMember(replica(0, 0), 2)
	if _, err := m.Follow(t.Context(), Beat{Node: 1, Epoch: 2, Attach: true}, true); err != nil || d.saves != 1 {
		t.Errorf("got %v and %d stored promises, want one", err, d.saves)
	}
}

// The loser of an election is not the primary of that epoch, even if an operator promotes its Redis. In the case "b:1",
// the freeze during the election has failed, so the Redis still follows the winner.
func TestLosingCandidatePromotedByHand(t *testing.T) {
	for _, follows := range []string{Frozen, "b:1"} {
		for _, attach := range []bool{false, true} {
			f := replica(1, 5)
			f.follows = follows
			d := &memory{promise: Promise{2, "0"}}
			m := NewMember(0, addrs, d.promise, f, d)
			beat := Beat{Node: 1, Epoch: 2, Attach: attach}
			if _, err := m.Follow(t.Context(), beat, false); err != nil {
				t.Fatal(err)
			}
			f.append(entry{epoch: 2})
			f.master, f.follows = true, ""
			if o, err := m.Inspect(t.Context()); err != nil || !o.Frozen() || d.promise != (Promise{2, ""}) {
				t.Errorf("followed %s, attach %t: got %v, %v and the promise %+v, want a frozen node without a candidate",
					follows, attach, f, err, d.promise)
			}
		}
	}
}

func TestAgreement(t *testing.T) {
	primary := View{Node: 1, Promised: 5, Primary: true}
	for _, c := range []struct {
		name  string
		epoch int64
		views []View
		want  bool
	}{
		{"both", 5, []View{primary, {Node: 2, Promised: 5}}, true},
		{"only the primary answers", 5, []View{primary}, false},
		{"the third node has promised more", 5, []View{primary, {Node: 2, Promised: 6}}, false},
		{"the third node has promised less", 5, []View{primary, {Node: 2, Promised: 4}}, false},
		{"the third node is empty", 1, []View{{Node: 1, Promised: 1, Primary: true}, {Node: 2}}, false},
		{"the primary has stepped down", 5, []View{{Node: 1, Promised: 5}, {Node: 2, Promised: 5}}, false},
		{"the primary has a newer epoch", 4, []View{primary, {Node: 2, Promised: 4}}, false},
	} {
		if got := (Beat{Node: 1, Epoch: c.epoch}).Agrees(c.views); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestJoining(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	waiting, empty := Ack{Reached: true, Promised: 1}, Ack{Reached: true, Empty: true}
	copying := Ack{Reached: true, Attached: true, Copying: true, Promised: 1}
	stopping := Ack{Reached: true, Promised: 1, Stopping: true}
	synced := Ack{Reached: true, Attached: true, InSync: true, Promised: 1}
	var j Joining
	for i, c := range []struct {
		after time.Duration
		acks  map[int]Ack
		want  int
	}{
		{0, map[int]Ack{}, -1},
		{0, map[int]Ack{1: empty, 2: waiting}, 2}, // a node with data first
		{time.Second, map[int]Ack{1: empty, 2: copying}, 2},
		{10 * time.Second, map[int]Ack{1: empty, 2: copying}, 2}, // a large copy
		{20 * time.Second, map[int]Ack{1: empty, 2: copying}, 2},
		{21 * time.Second, map[int]Ack{1: empty}, 2}, // the Redis does not reply while it drops its old data
		{22 * time.Second, map[int]Ack{1: empty, 2: synced}, 1},
		{23 * time.Second, map[int]Ack{1: waiting, 2: waiting}, 1},
		{27 * time.Second, map[int]Ack{1: waiting, 2: empty}, 2}, // node 1 had its turn without progress
		{28 * time.Second, map[int]Ack{1: waiting, 2: synced}, 1},
		{29 * time.Second, map[int]Ack{1: synced, 2: synced}, -1},
		{30 * time.Second, map[int]Ack{1: copying, 2: waiting}, 1}, // after a restart of the keeper
		{31 * time.Second, map[int]Ack{1: synced, 2: {Reached: true, Promised: 9}}, -1},
		{32 * time.Second, map[int]Ack{1: synced, 2: {}}, -1},
		{33 * time.Second, map[int]Ack{1: {Reached: true, Copying: true}, 2: waiting}, 2}, // node 1 loads its own data
		{34 * time.Second, map[int]Ack{1: stopping, 2: synced}, 1},
		{35 * time.Second, map[int]Ack{1: stopping, 2: waiting}, 2}, // node 1: the old primary after a handover
		{36 * time.Second, map[int]Ack{1: waiting, 2: synced}, 1},
		{37 * time.Second, map[int]Ack{1: stopping, 2: waiting}, 2}, // a node stops during its turn
	} {
		if got := j.Next(start.Add(c.after), 1, c.acks); got != c.want {
			t.Errorf("step %d: got node %d, want %d", i, got, c.want)
		}
	}
}

// If a copy never ends, the other node gets the turn after longestTurn. In the case "no turn", the keeper of the
// primary has restarted during the copy.
func TestJoiningDuringEndlessCopy(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	copying := Ack{Reached: true, Attached: true, Copying: true, Promised: 1}
	for _, waiting := range []Ack{{Reached: true, Promised: 1}, {Reached: true, Empty: true}} {
		var fresh, turn Joining
		turn.Start(1, start)
		for name, j := range map[string]*Joining{"turn": &turn, "no turn": &fresh} {
			got, now := 1, start
			for ; got == 1 && now.Before(start.Add(5*time.Minute)); now = now.Add(100 * time.Millisecond) {
				got = j.Next(now, 1, map[int]Ack{1: copying, 2: waiting})
			}
			if took := now.Sub(start); got != 2 || took < longestTurn || took > longestTurn+time.Second {
				t.Errorf("%s, node 2 %+v: got node %d after %v, want node 2 after %v", name, waiting, got, took, longestTurn)
			}
			if got := j.Next(now, 1, map[int]Ack{1: copying, 2: copying}); got != 2 {
				t.Errorf("%s: got node %d, want node 2: it is copying in its turn", name, got)
			}
		}
	}
}
