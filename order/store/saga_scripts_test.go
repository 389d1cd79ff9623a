package store

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"checkout/common/api"
)

// row is a test case for one reply of a saga script. Each script has a row for each code that its header documents.
type row struct {
	name    string
	before  string // the whole content of the server before the call
	call    call
	want    Result
	after   string  // the whole content after the call; empty: as before the call
	onRetry *Result // result of a second, identical call, which must change nothing; nil: same as want
}

// call is a call of a script.
type call func(context.Context, *Store) (Result, error)

// States of an order. Its attempt is B in otherRunning, and A in all other states.
var (
	runningOrder = "o:O a=A by=me dl=now+30 i:x=2@5 i:y=1@7,3@8 k=2 lease=now+5 q=6 s=RUNNING t=41 u=U"
	running      = runningOrder + "\nundecided O at now+5"
	lapsed       = strings.ReplaceAll(running, "now+5", "now-5") // the lease has expired
	otherRunning = strings.Replace(running, "a=A", "a=B", 1)
	aborting     = decided("ABORTING") + "\nundecided O at now-5"
	refunding    = decided("REFUNDING") + "\nundecided O at now-5"
	paid         = decided("PAID")
	cancelled    = decided("CANCELLED")
	closed       = decided("OPEN")
)

// The function "decided" returns the snapshot of an order with this state and the reason "credit".
func decided(state string) string {
	return "o:O a=A dl=now+30 i:x=2@5 i:y=1@7,3@8 k=2 q=6 r=credit s=" + state + " t=41 u=U"
}

// The constant "named" is an attempt ID without its last digit. Attempt IDs that differ only in this digit belong to
// one request.
const named = "01234567-89ab-4def-89ab-00000000000"

// Results of the scripts. Their times are seconds from now.
var (
	started  = work(Result{Code: CodeStarted, Attempt: "A", Deadline: 30})
	resumed  = work(Result{Code: CodeResumed, Attempt: "A", Deadline: 30})
	named1   = work(Result{Code: CodeResumed, Attempt: named + "1", Deadline: 30})
	busy     = result(CodeBusy, "A", "")
	toAbort  = work(Result{Code: CodeAborting, Attempt: "A", Reason: "credit", Deadline: 30})
	toRefund = claimed(CodeRefunding, "credit")
)

// The function "work" adds the user, the total and the lines of the order to a result.
func work(r Result) Result {
	r.User, r.Total, r.Lines = "U", 41, []api.Line{{ID: "x", Quantity: 2}, {ID: "y", Quantity: 4}}
	return r
}

// The function "claimed" returns the result of the script "claim" or "cancel".
func claimed(c Code, reason string) Result {
	return work(Result{Code: c, Attempt: "A", Reason: reason, Deadline: 30, NotAfter: 60})
}

// The function "found" returns a result with the attempt A and the reason "credit".
func found(c Code) Result { return result(c, "A", "credit") }

func result(c Code, attempt, reason string) Result {
	return Result{Code: c, Attempt: attempt, Reason: reason}
}

func beginOf(attempt, after string) call {
	return func(ctx context.Context, s *Store) (Result, error) { return s.Begin(ctx, id, attempt, after) }
}

func commitOf(attempt string) call {
	return func(ctx context.Context, s *Store) (Result, error) {
		return s.Commit(ctx, id, attempt, []int{0, 2}, []int{1}, Steps{})
	}
}

func refuseOf(attempt string) call {
	return func(ctx context.Context, s *Store) (Result, error) { return s.Refuse(ctx, id, attempt, "credit") }
}

func abortOf(attempt string) call {
	return func(ctx context.Context, s *Store) (Result, error) {
		return s.Abort(ctx, id, attempt, "given-up", Steps{})
	}
}

func closeOf(attempt string) call {
	return func(ctx context.Context, s *Store) (Result, error) { return s.Close(ctx, id, attempt) }
}

func cancelOf(attempt string) call {
	return func(ctx context.Context, s *Store) (Result, error) { return s.Cancel(ctx, id, attempt) }
}

func cancelledOf(attempt string, stock, credit []int) call {
	return func(ctx context.Context, s *Store) (Result, error) {
		return s.Cancelled(ctx, id, attempt, stock, credit)
	}
}

func claim(ctx context.Context, s *Store) (Result, error) {
	return s.Claim(ctx, s.Shards()[0], id, 10*time.Second)
}

// claimOrphan claims the order as an order of the dead instance "dead".
func claimOrphan(ctx context.Context, s *Store) (Result, error) {
	return s.ClaimOrphan(ctx, s.Shards()[0], Orphan{ID: id, by: "dead"}, 10*time.Second)
}

// The function "by" replaces the incarnation in an order.
func by(incarnation, order string) string {
	return strings.Replace(strings.Replace(order, " by=me", "", 1), "a=A", "a=A by="+incarnation, 1)
}

// runRows runs each row in a separate subtest. Every script of the saga is safe to retry, so each call is made twice.
func runRows(t *testing.T, rows []row) {
	s, client := openStore(t)
	for _, r := range rows {
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
			onRetry := r.want
			if r.onRetry != nil {
				onRetry = *r.onRetry
			}
			var history []string // the order's history after each call
			for i, want := range []Result{r.want, onRetry} {
				got, err := r.call(ctx, s)
				if err != nil {
					t.Fatal(err)
				}
				if !equal(got, want, now) {
					t.Errorf("call %d returned\n%+v, want\n%+v", i+1, got, want)
				}
				if state := snapshot(t, client, now); state != after {
					t.Errorf("after call %d, the server has\n%s\nwant\n%s", i+1, state, after)
				}
				history = append(history, client.HGet(ctx, "{o0}"+orderKey(id), historyField).Val())
			}
			if history[0] != history[1] {
				t.Errorf("the retry has changed the history from %q to %q", history[0], history[1])
			}
		})
	}
}

// equal reports whether a script returned the result that a row wants. The times in the row are seconds from now. If a
// time in the row is 0, equal does not compare it.
func equal(got, want Result, now time.Time) bool {
	near := func(ms int64, seconds int64) bool {
		if ms == 0 || seconds == 0 {
			return seconds == 0
		}
		return math.Abs(float64(ms-now.UnixMilli()-seconds*1000)) < 2500
	}
	slices.SortFunc(got.Lines, func(a, b api.Line) int { return strings.Compare(a.ID, b.ID) })
	return got.Code == want.Code && got.Attempt == want.Attempt && got.Reason == want.Reason &&
		got.User == want.User && got.Total == want.Total && slices.Equal(got.Lines, want.Lines) &&
		near(got.Deadline, want.Deadline) && near(got.NotAfter, want.NotAfter)
}
