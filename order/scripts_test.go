package main

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/env"
	"checkout/common/testredis"
)

// Proof 1: every script of the order service on a real redis-server, a row for each code that its header documents: the state
// before, the call, the code, and the whole state after it. Scripts that may be repeated are run a second time at once, and must
// leave the state as it is.

// id is the order of every row; A and B are attempts.
const id = "01a20ac5-5153-749e-8e14-d4476ca60000"

// openStore returns a store on a Redis of its own.
func openStore(t testing.TB) (*store, *redis.Client) {
	t.Helper()
	server := testredis.Start(t)
	db := cluster.Open(service, env.Redis{Addrs: []string{server.Addr}}, scripts)
	t.Cleanup(db.Close)
	for start := time.Now(); !db.Shards()[0].Healthy() || db.Modulus() == 0; time.Sleep(time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatal("the shard does not come up")
		}
	}
	return &store{db}, server.Client
}

// A state is the whole of Redis, as text: a line for each key, times as whole multiples of 5 s from now ("now+30").
func snapshot(t testing.TB, c *redis.Client, now time.Time) string {
	t.Helper()
	ctx := context.Background()
	keys, err := c.Keys(ctx, "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	keys = slices.DeleteFunc(keys, func(key string) bool { return key == "{o0}growth" }) // the cluster's own, written at any time
	slices.Sort(keys)
	var lines []string
	for _, key := range keys {
		name := strings.TrimPrefix(strings.Replace(key, id, "O", 1), "{o0}")
		switch c.Type(ctx, key).Val() {
		case "hash":
			fields := c.HGetAll(ctx, key).Val()
			var parts []string
			for _, f := range slices.Sorted(maps.Keys(fields)) {
				parts = append(parts, f+"="+relative(fields[f], now))
			}
			lines = append(lines, name+" "+strings.Join(parts, " "))
		case "zset":
			for _, z := range c.ZRangeWithScores(ctx, key, 0, -1).Val() {
				var words []string
				for word := range strings.SplitSeq(strings.Replace(z.Member.(string), id, "O", 1), " ") {
					words = append(words, relative(word, now))
				}
				lines = append(lines, fmt.Sprintf("%s %s at %s", name, strings.Join(words, " "), relative(strconv.FormatFloat(z.Score, 'f', 0, 64), now)))
			}
		}
		if ttl := c.PTTL(ctx, key).Val(); ttl >= 0 {
			t.Errorf("%s has a TTL: nothing of the order service may end by itself", key)
		}
	}
	return strings.Join(lines, "\n")
}

func relative(value string, now time.Time) string {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || math.Abs(float64(n-now.UnixMilli())) > 1e6 {
		return value
	}
	seconds := 5 * int(math.Round(float64(n-now.UnixMilli())/5000))
	switch {
	case seconds == 0:
		return "now"
	case seconds > 0:
		return fmt.Sprintf("now+%d", seconds)
	}
	return fmt.Sprintf("now%d", seconds)
}

// restore writes a state.
func restore(t testing.TB, c *redis.Client, state string, now time.Time) {
	t.Helper()
	ctx := context.Background()
	absolute := func(text string) string {
		if text == "now" {
			return strconv.FormatInt(now.UnixMilli(), 10)
		}
		if rest, ok := strings.CutPrefix(text, "now"); ok {
			seconds, err := strconv.Atoi(rest)
			if err != nil {
				t.Fatal(err)
			}
			return strconv.FormatInt(now.UnixMilli()+int64(seconds)*1000, 10)
		}
		return text
	}
	if err := c.FlushAll(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(state, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		key := "{o0}" + strings.Replace(words[0], "O", id, 1)
		if words[0] == undecidedKey || words[0] == unconfirmedKey {
			at := len(words) - 1
			score, err := strconv.ParseFloat(absolute(words[at]), 64)
			if err != nil {
				t.Fatal(err)
			}
			for i := range words[1 : at-1] {
				words[1+i] = absolute(words[1+i])
			}
			c.ZAdd(ctx, key, redis.Z{Score: score, Member: strings.Replace(strings.Join(words[1:at-1], " "), "O", id, 1)})
			continue
		}
		for _, word := range words[1:] {
			field, value, _ := strings.Cut(word, "=")
			c.HSet(ctx, key, field, absolute(value))
		}
	}
}

const (
	openOrder = "o:O i:x=2@5 i:y=1@7,3@8 k=2 q=6 s=OPEN t=41 u=U"
	empty     = "o:O k=0 q=0 s=OPEN t=0 u=U"
)

type row struct {
	name   string
	before string
	call   func(context.Context, *store) (found, error)
	want   found
	after  string // empty: as before
	again  *found // what the same call returns at once afterwards; nil: the same. The state must not change by it.
}

var work = []api.Line{{ID: "x", Quantity: 2}, {ID: "y", Quantity: 4}}

func begin(attempt, after string) func(context.Context, *store) (found, error) {
	return func(ctx context.Context, s *store) (found, error) { return s.begin(ctx, id, attempt, after) }
}

func commit(attempt string) func(context.Context, *store) (found, error) {
	return func(ctx context.Context, s *store) (found, error) {
		return s.commit(ctx, id, found{attempt: attempt, stockAt: []int{0, 2}, creditAt: []int{1}})
	}
}

func refuse(attempt string) func(context.Context, *store) (found, error) {
	return func(ctx context.Context, s *store) (found, error) { return s.refuse(ctx, id, attempt, reasonCredit) }
}

func abort(attempt string) func(context.Context, *store) (found, error) {
	return func(ctx context.Context, s *store) (found, error) { return s.abort(ctx, id, attempt, reasonGivenUp) }
}

func closeIt(attempt string) func(context.Context, *store) (found, error) {
	return func(ctx context.Context, s *store) (found, error) { return s.close(ctx, id, attempt) }
}

func cancelIt(attempt string) func(context.Context, *store) (found, error) {
	return func(ctx context.Context, s *store) (found, error) { return s.cancel(ctx, id, attempt) }
}

func cancelledIt(attempt string, stockAt, creditAt []int) func(context.Context, *store) (found, error) {
	return func(ctx context.Context, s *store) (found, error) {
		return s.cancelled(ctx, id, found{attempt: attempt, stockAt: stockAt, creditAt: creditAt})
	}
}

func claim(ctx context.Context, s *store) (found, error) { return s.claim(ctx, id, 10*time.Second) }

func rows() []row {
	running := "o:O a=A dl=now+30 i:x=2@5 i:y=1@7,3@8 k=2 lease=now+5 q=6 s=RUNNING t=41 u=U\nundecided O at now+5"
	lapsed := "o:O a=A dl=now+30 i:x=2@5 i:y=1@7,3@8 k=2 lease=now-5 q=6 s=RUNNING t=41 u=U\nundecided O at now-5"
	in := func(state string) string {
		return "o:O a=A dl=now+30 i:x=2@5 i:y=1@7,3@8 k=2 q=6 r=credit s=" + state + " t=41 u=U"
	}
	aborting, paid, refunding, cancelled, closed := in("ABORTING")+"\nundecided O at now-5", in("PAID"), in("REFUNDING")+"\nundecided O at now-5", in("CANCELLED"), in("OPEN")
	state := func(c code) found { return found{code: c, attempt: "A", reason: "credit"} }
	started := found{code: codeStarted, attempt: "A", user: "U", total: 41, deadline: 30, lines: work}
	resumed := started
	resumed.code = codeResumed
	busy := found{code: codeBusy, attempt: "A"}
	abortingWork := found{code: codeAborting, attempt: "A", reason: "credit", user: "U", total: 41, deadline: 30, lines: work}
	claimed := func(c code, reason string) found {
		return found{code: c, attempt: "A", reason: reason, user: "U", total: 41, deadline: 30, notAfter: 60, lines: work}
	}
	short := func(c code, attempt, reason string) found { return found{code: c, attempt: attempt, reason: reason} }
	other := strings.Replace(running, "a=A", "a=B", 1)

	return []row{
		{name: "begin NOT_FOUND", call: begin("A", ""), want: found{code: codeNotFound}},
		{name: "begin STARTED", before: openOrder, call: begin("A", ""), want: started, after: running, again: &resumed},
		{name: "begin STARTED after a closed attempt", before: strings.Replace(closed, "a=A", "a=B", 1), call: begin("A", "B"),
			want:  found{code: codeStarted, attempt: "A", user: "U", total: 41, deadline: 30, lines: work},
			after: strings.Replace(running, " s=RUNNING", " r=credit s=RUNNING", 1),
			again: &found{code: codeResumed, attempt: "A", user: "U", total: 41, deadline: 30, lines: work}},
		{name: "begin PAID at once: empty", before: empty, call: begin("A", ""), want: found{code: codePaid, attempt: "A"},
			after: "o:O a=A k=0 q=0 s=PAID t=0 u=U", again: &found{code: codePaid, attempt: "A"}},
		{name: "begin STALE", before: closed, call: begin("B", ""), want: state(codeStale)},
		{name: "begin STALE: a late duplicate", before: closed, call: begin("B", "C"), want: state(codeStale)},
		{name: "begin RESUMED: same attempt", before: running, call: begin("A", ""), want: resumed},
		{name: "begin RESUMED: the lease ran out", before: lapsed, call: begin("B", ""), want: resumed, after: running, again: &busy},
		{name: "begin BUSY", before: running, call: begin("B", ""), want: busy},
		{name: "begin ABORTING", before: aborting, call: begin("B", ""), want: abortingWork},
		{name: "begin CLOSED", before: closed, call: begin("A", ""), want: state(codeClosed)},
		{name: "begin PAID", before: paid, call: begin("B", "A"), want: state(codePaid)},
		{name: "begin REFUNDING", before: refunding, call: begin("B", "A"), want: state(codeRefunding)},
		{name: "begin CANCELLED", before: cancelled, call: begin("B", "A"), want: state(codeCancelled)},

		{name: "commit PAID", before: running, call: commit("A"), want: short(codePaid, "A", ""),
			after: strings.Replace(strings.Split(running, "\n")[0], "RUNNING", "PAID", 1) + "\nunconfirmed A now+90 0,2 1 at now"},
		{name: "commit PAID before", before: paid, call: commit("A"), want: short(codePaid, "A", "credit")},
		{name: "commit PAID, refunding since", before: refunding, call: commit("A"), want: short(codePaid, "A", "")},
		{name: "commit PAID, cancelled since", before: cancelled, call: commit("A"), want: short(codePaid, "A", "")},
		{name: "commit NOT_FOUND", call: commit("A"), want: found{}},
		{name: "commit ABORTING", before: aborting, call: commit("A"), want: short(codeAborting, "A", "credit")},
		{name: "commit OPEN", before: closed, call: commit("A"), want: short(codeClosed, "A", "credit")},
		{name: "commit of another: RUNNING", before: other, call: commit("A"), want: short(codeRunning, "B", "")},
		{name: "commit of another: PAID", before: paid, call: commit("B"), want: short(codePaid, "A", "credit")},
		{name: "commit of another: REFUNDING", before: refunding, call: commit("B"), want: short(codeRefunding, "A", "credit")},
		{name: "commit of another: CANCELLED", before: cancelled, call: commit("B"), want: short(codeCancelled, "A", "credit")},

		{name: "refuse CLOSED", before: running, call: refuse("A"), want: short(codeClosed, "A", "credit"),
			after: strings.Replace(strings.Split(running, "\n")[0], "s=RUNNING", "r=credit s=OPEN", 1)},
		{name: "refuse NOT_FOUND", call: refuse("A"), want: found{}},
		{name: "refuse ABORTING", before: aborting, call: refuse("A"), want: short(codeAborting, "A", "credit")},
		{name: "refuse OPEN", before: closed, call: refuse("A"), want: short(codeClosed, "A", "credit")},
		{name: "refuse PAID", before: paid, call: refuse("A"), want: short(codePaid, "A", "credit")},
		{name: "refuse REFUNDING", before: refunding, call: refuse("A"), want: short(codeRefunding, "A", "credit")},
		{name: "refuse CANCELLED", before: cancelled, call: refuse("A"), want: short(codeCancelled, "A", "credit")},
		{name: "refuse of another: RUNNING", before: other, call: refuse("A"), want: short(codeRunning, "B", "")},

		{name: "abort ABORTING", before: lapsed, call: abort("A"), want: short(codeAborting, "A", "given-up"),
			after: "o:O a=A dl=now+30 i:x=2@5 i:y=1@7,3@8 k=2 lease=now-5 q=6 r=given-up s=ABORTING t=41 u=U\nundecided O at now+5"},
		{name: "abort ABORTING before", before: aborting, call: abort("A"), want: short(codeAborting, "A", "credit")},
		{name: "abort NOT_FOUND", call: abort("A"), want: found{}},
		{name: "abort OPEN", before: closed, call: abort("A"), want: short(codeClosed, "A", "credit")},
		{name: "abort PAID", before: paid, call: abort("A"), want: short(codePaid, "A", "credit")},
		{name: "abort REFUNDING", before: refunding, call: abort("A"), want: short(codeRefunding, "A", "credit")},
		{name: "abort CANCELLED", before: cancelled, call: abort("A"), want: short(codeCancelled, "A", "credit")},
		{name: "abort of another: RUNNING", before: other, call: abort("A"), want: short(codeRunning, "B", "")},

		{name: "close CLOSED", before: aborting, call: closeIt("A"), want: found{code: codeClosed}, after: closed},
		{name: "close CLOSED before", before: closed, call: closeIt("A"), want: found{code: codeClosed}},
		{name: "close CLOSED, superseded", before: other, call: closeIt("A"), want: found{code: codeClosed}},
		{name: "close CLOSED, the order is gone", call: closeIt("A"), want: found{code: codeClosed}},
		{name: "close leaves PAID alone", before: paid, call: closeIt("A"), want: found{code: codeClosed}},

		{name: "claim RUNNING", before: lapsed, call: claim, want: claimed(codeRunning, ""), after: strings.Replace(lapsed, "at now-5", "at now+10", 1), again: &found{}},
		{name: "claim ABORTING", before: aborting, call: claim, want: claimed(codeAborting, "credit"), after: strings.Replace(aborting, "at now-5", "at now+10", 1), again: &found{}},
		{name: "claim REFUNDING", before: refunding, call: claim, want: claimed(codeRefunding, "credit"), after: strings.Replace(refunding, "at now-5", "at now+10", 1), again: &found{}},
		{name: "claim not due", before: strings.Replace(aborting, "at now-5", "at now+5", 1), call: claim, want: found{}},
		{name: "claim of a lease that holds", before: strings.Replace(running, "at now+5", "at now-5", 1), call: claim, want: found{}, after: running},
		{name: "claim of a decided order", before: paid + "\nundecided O at now-5", call: claim, want: found{}, after: paid},
		{name: "claim of an order that is gone", before: "undecided O at now-5", call: claim, want: found{}, after: " "},
		{name: "claim of nothing", before: paid, call: claim, want: found{}},

		{name: "cancel REFUNDING", before: paid, call: cancelIt("A"), want: claimed(codeRefunding, "credit"), after: in("REFUNDING") + "\nundecided O at now+5"},
		{name: "cancel REFUNDING before", before: refunding, call: cancelIt("A"), want: claimed(codeRefunding, "credit")},
		{name: "cancel NOT_FOUND", call: cancelIt("A"), want: found{}},
		{name: "cancel ABORTING", before: aborting, call: cancelIt("A"), want: state(codeAborting)},
		{name: "cancel OPEN", before: closed, call: cancelIt("A"), want: state(codeClosed)},
		{name: "cancel of another: PAID", before: paid, call: cancelIt("B"), want: state(codePaid)},
		{name: "cancel CANCELLED", before: cancelled, call: cancelIt("A"), want: state(codeCancelled)},
		{name: "cancel RUNNING", before: running, call: cancelIt("A"), want: found{code: codeRunning, attempt: "A"}},

		{name: "cancelled CANCELLED", before: refunding, call: cancelledIt("A", []int{0, 2}, []int{1}), want: found{code: codeCancelled},
			after: cancelled + "\nunconfirmed A:refund now+120 0,2 1 at now", again: &found{code: codeCancelled}},
		{name: "cancelled CANCELLED, nothing bought", before: refunding, call: cancelledIt("A", nil, nil), want: found{code: codeCancelled}, after: cancelled},
		{name: "cancelled of another: REFUNDING", before: refunding, call: cancelledIt("B", nil, nil), want: found{code: codeRefunding}},
		{name: "cancelled NOT_FOUND", call: cancelledIt("A", nil, nil), want: found{}},
		{name: "cancelled ABORTING", before: aborting, call: cancelledIt("A", nil, nil), want: found{code: codeAborting}},
		{name: "cancelled OPEN", before: closed, call: cancelledIt("A", nil, nil), want: found{code: codeClosed}},
		{name: "cancelled PAID", before: paid, call: cancelledIt("A", nil, nil), want: found{code: codePaid}},
		{name: "cancelled RUNNING", before: running, call: cancelledIt("A", nil, nil), want: found{code: codeRunning}},
	}
}

func TestSagaScripts(t *testing.T) {
	s, client := openStore(t)
	for _, r := range rows() {
		t.Run(r.name, func(t *testing.T) {
			ctx := context.Background()
			now := time.Now()
			restore(t, client, r.before, now)
			if got := snapshot(t, client, now); got != strings.TrimSpace(r.before) {
				t.Fatalf("the test wrote\n%s\ninstead of\n%s", got, r.before)
			}
			after := strings.TrimSpace(r.after)
			if r.after == "" {
				after = strings.TrimSpace(r.before)
			}
			again := r.want
			if r.again != nil {
				again = *r.again
			}
			for i, want := range []found{r.want, again} {
				got, err := r.call(ctx, s)
				if err != nil {
					t.Fatal(err)
				}
				if !equal(got, want, now) {
					t.Errorf("call %d returned\n%+v, want\n%+v", i+1, got, want)
				}
				if state := snapshot(t, client, now); state != after {
					t.Errorf("after call %d:\n%s\nwant\n%s", i+1, state, after)
				}
			}
		})
	}
}

// equal compares what a script returned with what a row wants; times in a row are seconds from now.
func equal(got, want found, now time.Time) bool {
	near := func(ms int64, seconds int64) bool {
		if ms == 0 || seconds == 0 {
			return seconds == 0
		}
		return math.Abs(float64(ms-now.UnixMilli()-seconds*1000)) < 2500
	}
	slices.SortFunc(got.lines, func(a, b api.Line) int { return strings.Compare(a.ID, b.ID) })
	return got.code == want.code && got.attempt == want.attempt && got.reason == want.reason && got.user == want.user && got.total == want.total &&
		near(got.deadline, want.deadline) && near(got.notAfter, want.notAfter) && slices.Equal(got.lines, want.lines)
}
