// Package participanttest tests the counters of a service near the limits of their values.
package participanttest

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"

	"checkout/common/api"
	"checkout/common/participant"
	"checkout/common/shard"
	"checkout/common/testredis"
)

const (
	fullAt = 9_200_000_000_000_000_000 // release and refund add nothing to a counter of at least fullAt
	far    = 4102444800000             // a deadline in the year 2100
	walks  = 20                        // number of random sequences of operations
	steps  = 150                       // number of operations in each walk
)

// Limits tests the counters of a service with random operations near the limits. It compares the results with exact
// arithmetic.
type Limits struct {
	*testing.T
	Counters     *participant.Counters
	Reservations *participant.Reservations
	Server       *testredis.Server // the only shard
	Key          func(id string) string
	Insufficient *api.Error // the error of Subtract
	Lines        int        // largest number of lines of an attempt
	// More are operations that only this service has. Each one checks its own results and returns a name for what
	// happened, such as "pay too much", or "" if it did nothing.
	More []func(l *Limits) string
	// Results lists further results that at least one walk must reach.
	Results []string

	Random   *rand.Rand
	ids      [2]string
	want     [2]*big.Int
	reserved []api.Attempt
	sold     []api.Attempt
	seen     map[string]int // how often each result was returned
}

// Run runs the test.
func (l *Limits) Run() {
	l.seen = map[string]int{}
	for seed := range uint64(walks) {
		l.Random = rand.New(rand.NewPCG(seed, 16))
		l.reserved, l.sold = nil, nil
		for i := range l.ids {
			l.ids[i], l.want[i] = shard.Mint(0), new(big.Int)
			l.set(i, 0)
		}
		for n := range steps {
			name, got, want := l.step()
			if got != want {
				l.Fatalf("seed %d, step %d: %s, expected counters %v: got %v, want %v", seed, n, name, l.want, got, want)
			}
			l.seen[fmt.Sprint(name, " ", want)]++
			for i, id := range l.ids {
				text := l.Server.Client.Get(l.Context(), l.Key(id)).Val()
				if text != l.want[i].String() {
					l.Fatalf("seed %d, step %d: after %s, a counter is %s, want %v", seed, n, name, text, l.want[i])
				}
				if l.want[i].Cmp(big.NewInt(api.MaxBalance)) > 0 {
					l.seen["above"]++
				}
			}
		}
	}
	for _, result := range append([]string{"add <nil>", "add true", "subtract <nil>", "subtract true", "reserve 1",
		"reserve 2", "repeat 1", "release 3", "release 0", "refund 5", "refund 0", "above"}, l.Results...) {
		if l.seen[result] == 0 {
			l.Errorf("no walk reached the result %q; count of each result: %v", result, l.seen)
		}
	}
}

// Pick returns one of the two counters at random.
func (l *Limits) Pick() (i int, id string) {
	i = l.Random.IntN(2)
	return i, l.ids[i]
}

// Amount returns a random amount, often within 1 of the amount that empties or fills counter i.
func (l *Limits) Amount(i int) int64 {
	amounts := []int64{1, 2, 3, 1e12, 1<<53 - 1, 1<<53 - 2, 1 << 52, 1 + l.Random.Int64N(1<<53-1)}
	if near := new(big.Int).Add(l.want[i], big.NewInt(int64(l.Random.IntN(3)-1))); near.IsInt64() {
		if n := near.Int64(); n > 0 && n < 1<<53 {
			amounts = append(amounts, n, n)
		}
	}
	if left := api.MaxBalance - l.want[i].Int64() + int64(l.Random.IntN(3)-1); left > 0 && left < 1<<53 {
		amounts = append(amounts, left, left)
	}
	return amounts[l.Random.IntN(len(amounts))]
}

// Has reports whether the expected value of a counter is at least amount.
func (l *Limits) Has(i int, amount int64) bool { return l.want[i].Cmp(big.NewInt(amount)) >= 0 }

// Fits reports whether amount can be added to a counter without exceeding api.MaxBalance.
func (l *Limits) Fits(i int, amount int64) bool {
	return l.want[i].Cmp(big.NewInt(api.MaxBalance-amount)) <= 0
}

// Change adds amount to the expected value of a counter.
func (l *Limits) Change(i int, amount int64) { l.want[i].Add(l.want[i], big.NewInt(amount)) }

// step runs one random operation. It returns the actual result and the result that exact arithmetic predicts.
func (l *Limits) step() (name string, got, want any) {
	i, id := l.Pick()
	n := l.Amount(i)
	switch l.Random.IntN(9 + len(l.More)) {
	case 0, 1:
		err := l.Counters.Add(l.Context(), nil, id, n)
		if !l.Fits(i, n) {
			return "add", errors.Is(err, api.BalanceLimit), true
		}
		l.Change(i, n)
		return "add", err, nil
	case 2:
		err := l.Counters.Subtract(l.Context(), nil, id, n)
		if !l.Has(i, n) {
			return "subtract", errors.Is(err, l.Insufficient), true
		}
		l.Change(i, -n)
		return "subtract", err, nil
	case 3, 4:
		return l.reserve(i, n)
	case 5: // repeat a reservation, as the coordinator does before it commits
		if len(l.reserved) == 0 {
			return "", nil, nil
		}
		return "repeat", l.one(l.Reservations.Reserve, l.reserved[l.Random.IntN(len(l.reserved))]), api.Reserved
	case 6:
		return l.giveBack("release", l.Reservations.Release, api.Released, &l.reserved)
	case 7:
		if n := len(l.reserved); n > 0 { // commit
			l.sold = append(l.sold, l.reserved[n-1])
			l.reserved = l.reserved[:n-1]
		}
		return l.giveBack("refund", l.Reservations.Refund, api.Refunded, &l.sold)
	case 8:
		if l.Random.IntN(10) == 0 { // a value that a counter has after about 1,000 of the largest refunds
			l.set(i, fullAt-1024*int64(l.Random.IntN(3)))
		} else if l.Random.IntN(2) == 0 {
			l.set(i, 0)
		}
		return "set", nil, nil
	default:
		return l.More[l.Random.IntN(len(l.More))](l), nil, nil
	}
}

func (l *Limits) set(i int, n int64) {
	l.want[i].SetInt64(n)
	if err := l.Server.Client.Set(l.Context(), l.Key(l.ids[i]), n, 0).Err(); err != nil {
		l.Fatal(err)
	}
}

func (l *Limits) reserve(i int, n int64) (name string, got, want any) {
	a := api.Attempt{ID: shard.Mint(0), Order: shard.Mint(0), Until: far, Lines: []api.Line{{ID: l.ids[i], Quantity: n}}}
	enough := l.Has(i, n)
	if l.Lines > 1 && l.Random.IntN(2) == 0 {
		m := l.Amount(1 - i)
		a.Lines = append(a.Lines, api.Line{ID: l.ids[1-i], Quantity: m})
		enough = enough && l.Has(1-i, m)
	}
	code := l.one(l.Reservations.Reserve, a)
	if !enough {
		return "reserve", code, api.Refused
	}
	l.reserved = append(l.reserved, a)
	for _, line := range a.Lines {
		l.Change(l.index(line.ID), -line.Quantity)
	}
	return "reserve", code, api.Reserved
}

func (l *Limits) index(id string) int {
	if id == l.ids[0] {
		return 0
	}
	return 1
}

// step is a step of the protocol.
type step func(context.Context, []api.Attempt) []api.Outcome

// one is a helper that runs a step for a single attempt. It returns the code of the outcome.
func (l *Limits) one(do step, a api.Attempt) api.Code {
	return do(l.Context(), []api.Attempt{a})[0].Code
}

// giveBack releases or refunds a random attempt of a list.
func (l *Limits) giveBack(name string, do step, done api.Code, list *[]api.Attempt) (string, any, any) {
	if len(*list) == 0 {
		return name, nil, nil
	}
	i := l.Random.IntN(len(*list))
	a := (*list)[i]
	want := done
	for _, line := range a.Lines {
		// The scripts compare Lua numbers (float64), so a counter just below fullAt may round up to it.
		if n, _ := new(big.Float).SetInt(l.want[l.index(line.ID)]).Float64(); n >= fullAt {
			want = api.Unknown
		}
	}
	if want == done {
		for _, line := range a.Lines {
			l.Change(l.index(line.ID), line.Quantity)
		}
		*list = append((*list)[:i:i], (*list)[i+1:]...)
	}
	return name, l.one(do, a), want
}
