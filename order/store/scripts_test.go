package store

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
func openStore(t testing.TB) (*Store, *redis.Client) {
	t.Helper()
	server := testredis.Start(t)
	db := cluster.Open("order", env.Redis{Addrs: []string{server.Addr}}, Scripts)
	t.Cleanup(db.Close)
	for start := time.Now(); !db.Shards()[0].Healthy() || db.Modulus() == 0; time.Sleep(time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatal("the shard does not come up")
		}
	}
	return New(db), server.Client
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
	call   func(context.Context, *Store) (Result, error)
	want   Result
	after  string  // empty: as before
	again  *Result // what the same call returns at once afterwards; nil: the same. The state must not change by it.
}

var work = []api.Line{{ID: "x", Quantity: 2}, {ID: "y", Quantity: 4}}

func begin(attempt, after string) func(context.Context, *Store) (Result, error) {
	return func(ctx context.Context, s *Store) (Result, error) { return s.Begin(ctx, id, attempt, after) }
}

func commit(attempt string) func(context.Context, *Store) (Result, error) {
	return func(ctx context.Context, s *Store) (Result, error) {
		return s.Commit(ctx, id, attempt, []int{0, 2}, []int{1})
	}
}

func refuse(attempt string) func(context.Context, *Store) (Result, error) {
	return func(ctx context.Context, s *Store) (Result, error) {
		return s.Refuse(ctx, id, attempt, "credit")
	}
}

func abort(attempt string) func(context.Context, *Store) (Result, error) {
	return func(ctx context.Context, s *Store) (Result, error) {
		return s.Abort(ctx, id, attempt, "given-up")
	}
}

func closeIt(attempt string) func(context.Context, *Store) (Result, error) {
	return func(ctx context.Context, s *Store) (Result, error) { return s.Close(ctx, id, attempt) }
}

func cancelIt(attempt string) func(context.Context, *Store) (Result, error) {
	return func(ctx context.Context, s *Store) (Result, error) { return s.Cancel(ctx, id, attempt) }
}

func cancelledIt(attempt string, stockAt, creditAt []int) func(context.Context, *Store) (Result, error) {
	return func(ctx context.Context, s *Store) (Result, error) {
		return s.Cancelled(ctx, id, attempt, stockAt, creditAt)
	}
}

func claim(ctx context.Context, s *Store) (Result, error) {
	return s.Claim(ctx, id, 10*time.Second)
}

func rows() []row {
	running := "o:O a=A dl=now+30 i:x=2@5 i:y=1@7,3@8 k=2 lease=now+5 q=6 s=RUNNING t=41 u=U\nundecided O at now+5"
	lapsed := "o:O a=A dl=now+30 i:x=2@5 i:y=1@7,3@8 k=2 lease=now-5 q=6 s=RUNNING t=41 u=U\nundecided O at now-5"
	in := func(state string) string {
		return "o:O a=A dl=now+30 i:x=2@5 i:y=1@7,3@8 k=2 q=6 r=credit s=" + state + " t=41 u=U"
	}
	aborting, paid, refunding, cancelled, closed := in("ABORTING")+"\nundecided O at now-5", in("PAID"), in("REFUNDING")+"\nundecided O at now-5", in("CANCELLED"), in("OPEN")
	state := func(c Code) Result { return Result{Code: c, Attempt: "A", Reason: "credit"} }
	started := Result{Code: CodeStarted, Attempt: "A", User: "U", Total: 41, Deadline: 30, Lines: work}
	resumed := started
	resumed.Code = CodeResumed
	busy := Result{Code: CodeBusy, Attempt: "A"}
	abortingWork := Result{Code: CodeAborting, Attempt: "A", Reason: "credit", User: "U", Total: 41, Deadline: 30, Lines: work}
	claimed := func(c Code, reason string) Result {
		return Result{Code: c, Attempt: "A", Reason: reason, User: "U", Total: 41, Deadline: 30, NotAfter: 60, Lines: work}
	}
	short := func(c Code, attempt, reason string) Result { return Result{Code: c, Attempt: attempt, Reason: reason} }
	other := strings.Replace(running, "a=A", "a=B", 1)

	return []row{
		{name: "begin NOT_FOUND", call: begin("A", ""), want: Result{Code: CodeNotFound}},
		{name: "begin STARTED", before: openOrder, call: begin("A", ""), want: started, after: running, again: &resumed},
		{name: "begin STARTED after a closed attempt", before: strings.Replace(closed, "a=A", "a=B", 1), call: begin("A", "B"),
			want:  Result{Code: CodeStarted, Attempt: "A", User: "U", Total: 41, Deadline: 30, Lines: work},
			after: strings.Replace(running, " s=RUNNING", " r=credit s=RUNNING", 1),
			again: &Result{Code: CodeResumed, Attempt: "A", User: "U", Total: 41, Deadline: 30, Lines: work}},
		{name: "begin PAID at once: empty", before: empty, call: begin("A", ""), want: Result{Code: CodePaid, Attempt: "A"},
			after: "o:O a=A k=0 q=0 s=PAID t=0 u=U", again: &Result{Code: CodePaid, Attempt: "A"}},
		{name: "begin STALE", before: closed, call: begin("B", ""), want: state(CodeStale)},
		{name: "begin STALE: a late duplicate", before: closed, call: begin("B", "C"), want: state(CodeStale)},
		{name: "begin RESUMED: same attempt", before: running, call: begin("A", ""), want: resumed},
		{name: "begin RESUMED: the lease ran out", before: lapsed, call: begin("B", ""), want: resumed, after: running, again: &busy},
		{name: "begin BUSY", before: running, call: begin("B", ""), want: busy},
		{name: "begin ABORTING", before: aborting, call: begin("B", ""), want: abortingWork},
		{name: "begin CLOSED", before: closed, call: begin("A", ""), want: state(CodeClosed)},
		{name: "begin PAID", before: paid, call: begin("B", "A"), want: state(CodePaid)},
		{name: "begin REFUNDING", before: refunding, call: begin("B", "A"), want: state(CodeRefunding)},
		{name: "begin CANCELLED", before: cancelled, call: begin("B", "A"), want: state(CodeCancelled)},

		{name: "commit PAID", before: running, call: commit("A"), want: short(CodePaid, "A", ""),
			after: strings.Replace(strings.Split(running, "\n")[0], "RUNNING", "PAID", 1) + "\nunconfirmed A now+90 0,2 1 at now"},
		{name: "commit PAID before", before: paid, call: commit("A"), want: short(CodePaid, "A", "credit")},
		{name: "commit PAID, refunding since", before: refunding, call: commit("A"), want: short(CodePaid, "A", "")},
		{name: "commit PAID, cancelled since", before: cancelled, call: commit("A"), want: short(CodePaid, "A", "")},
		{name: "commit NOT_FOUND", call: commit("A"), want: Result{}},
		{name: "commit ABORTING", before: aborting, call: commit("A"), want: short(CodeAborting, "A", "credit")},
		{name: "commit OPEN", before: closed, call: commit("A"), want: short(CodeClosed, "A", "credit")},
		{name: "commit of another: RUNNING", before: other, call: commit("A"), want: short(CodeRunning, "B", "")},
		{name: "commit of another: PAID", before: paid, call: commit("B"), want: short(CodePaid, "A", "credit")},
		{name: "commit of another: REFUNDING", before: refunding, call: commit("B"), want: short(CodeRefunding, "A", "credit")},
		{name: "commit of another: CANCELLED", before: cancelled, call: commit("B"), want: short(CodeCancelled, "A", "credit")},

		{name: "refuse CLOSED", before: running, call: refuse("A"), want: short(CodeClosed, "A", "credit"),
			after: strings.Replace(strings.Split(running, "\n")[0], "s=RUNNING", "r=credit s=OPEN", 1)},
		{name: "refuse NOT_FOUND", call: refuse("A"), want: Result{}},
		{name: "refuse ABORTING", before: aborting, call: refuse("A"), want: short(CodeAborting, "A", "credit")},
		{name: "refuse OPEN", before: closed, call: refuse("A"), want: short(CodeClosed, "A", "credit")},
		{name: "refuse PAID", before: paid, call: refuse("A"), want: short(CodePaid, "A", "credit")},
		{name: "refuse REFUNDING", before: refunding, call: refuse("A"), want: short(CodeRefunding, "A", "credit")},
		{name: "refuse CANCELLED", before: cancelled, call: refuse("A"), want: short(CodeCancelled, "A", "credit")},
		{name: "refuse of another: RUNNING", before: other, call: refuse("A"), want: short(CodeRunning, "B", "")},

		{name: "abort ABORTING", before: lapsed, call: abort("A"), want: short(CodeAborting, "A", "given-up"),
			after: "o:O a=A dl=now+30 i:x=2@5 i:y=1@7,3@8 k=2 lease=now-5 q=6 r=given-up s=ABORTING t=41 u=U\nundecided O at now+5"},
		{name: "abort ABORTING before", before: aborting, call: abort("A"), want: short(CodeAborting, "A", "credit")},
		{name: "abort NOT_FOUND", call: abort("A"), want: Result{}},
		{name: "abort OPEN", before: closed, call: abort("A"), want: short(CodeClosed, "A", "credit")},
		{name: "abort PAID", before: paid, call: abort("A"), want: short(CodePaid, "A", "credit")},
		{name: "abort REFUNDING", before: refunding, call: abort("A"), want: short(CodeRefunding, "A", "credit")},
		{name: "abort CANCELLED", before: cancelled, call: abort("A"), want: short(CodeCancelled, "A", "credit")},
		{name: "abort of another: RUNNING", before: other, call: abort("A"), want: short(CodeRunning, "B", "")},

		{name: "close CLOSED", before: aborting, call: closeIt("A"), want: Result{Code: CodeClosed}, after: closed},
		{name: "close CLOSED before", before: closed, call: closeIt("A"), want: Result{Code: CodeClosed}},
		{name: "close CLOSED, superseded", before: other, call: closeIt("A"), want: Result{Code: CodeClosed}},
		{name: "close CLOSED, the order is gone", call: closeIt("A"), want: Result{Code: CodeClosed}},
		{name: "close leaves PAID alone", before: paid, call: closeIt("A"), want: Result{Code: CodeClosed}},

		{name: "claim RUNNING", before: lapsed, call: claim, want: claimed(CodeRunning, ""), after: strings.Replace(lapsed, "at now-5", "at now+10", 1), again: &Result{}},
		{name: "claim ABORTING", before: aborting, call: claim, want: claimed(CodeAborting, "credit"), after: strings.Replace(aborting, "at now-5", "at now+10", 1), again: &Result{}},
		{name: "claim REFUNDING", before: refunding, call: claim, want: claimed(CodeRefunding, "credit"), after: strings.Replace(refunding, "at now-5", "at now+10", 1), again: &Result{}},
		{name: "claim not due", before: strings.Replace(aborting, "at now-5", "at now+5", 1), call: claim, want: Result{}},
		{name: "claim of a lease that holds", before: strings.Replace(running, "at now+5", "at now-5", 1), call: claim, want: Result{}, after: running},
		{name: "claim of a decided order", before: paid + "\nundecided O at now-5", call: claim, want: Result{}, after: paid},
		{name: "claim of an order that is gone", before: "undecided O at now-5", call: claim, want: Result{}, after: " "},
		{name: "claim of nothing", before: paid, call: claim, want: Result{}},

		{name: "cancel REFUNDING", before: paid, call: cancelIt("A"), want: claimed(CodeRefunding, "credit"), after: in("REFUNDING") + "\nundecided O at now+5"},
		{name: "cancel REFUNDING before", before: refunding, call: cancelIt("A"), want: claimed(CodeRefunding, "credit")},
		{name: "cancel NOT_FOUND", call: cancelIt("A"), want: Result{}},
		{name: "cancel ABORTING", before: aborting, call: cancelIt("A"), want: state(CodeAborting)},
		{name: "cancel OPEN", before: closed, call: cancelIt("A"), want: state(CodeClosed)},
		{name: "cancel of another: PAID", before: paid, call: cancelIt("B"), want: state(CodePaid)},
		{name: "cancel CANCELLED", before: cancelled, call: cancelIt("A"), want: state(CodeCancelled)},
		{name: "cancel RUNNING", before: running, call: cancelIt("A"), want: Result{Code: CodeRunning, Attempt: "A"}},

		{name: "cancelled CANCELLED", before: refunding, call: cancelledIt("A", []int{0, 2}, []int{1}), want: Result{Code: CodeCancelled},
			after: cancelled + "\nunconfirmed A:refund now+120 0,2 1 at now", again: &Result{Code: CodeCancelled}},
		{name: "cancelled CANCELLED, nothing bought", before: refunding, call: cancelledIt("A", nil, nil), want: Result{Code: CodeCancelled}, after: cancelled},
		{name: "cancelled of another: REFUNDING", before: refunding, call: cancelledIt("B", nil, nil), want: Result{Code: CodeRefunding}},
		{name: "cancelled NOT_FOUND", call: cancelledIt("A", nil, nil), want: Result{}},
		{name: "cancelled ABORTING", before: aborting, call: cancelledIt("A", nil, nil), want: Result{Code: CodeAborting}},
		{name: "cancelled OPEN", before: closed, call: cancelledIt("A", nil, nil), want: Result{Code: CodeClosed}},
		{name: "cancelled PAID", before: paid, call: cancelledIt("A", nil, nil), want: Result{Code: CodePaid}},
		{name: "cancelled RUNNING", before: running, call: cancelledIt("A", nil, nil), want: Result{Code: CodeRunning}},
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
			for i, want := range []Result{r.want, again} {
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
func equal(got, want Result, now time.Time) bool {
	near := func(ms int64, seconds int64) bool {
		if ms == 0 || seconds == 0 {
			return seconds == 0
		}
		return math.Abs(float64(ms-now.UnixMilli()-seconds*1000)) < 2500
	}
	slices.SortFunc(got.Lines, func(a, b api.Line) int { return strings.Compare(a.ID, b.ID) })
	return got.Code == want.Code && got.Attempt == want.Attempt && got.Reason == want.Reason && got.User == want.User && got.Total == want.Total &&
		near(got.Deadline, want.Deadline) && near(got.NotAfter, want.NotAfter) && slices.Equal(got.Lines, want.Lines)
}
