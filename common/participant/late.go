package participant

import (
	"slices"
	"time"

	"checkout/common/api"
)

// lateAfter is how long a request waits for its other attempts after the first ones have outcomes. With 256 clients, a
// request takes 5 to 20 ms. Clients get a response within a second, so lateAfter must be much shorter.
const lateAfter = 100 * time.Millisecond

// sameShards divides attempts into groups. Attempts in one group use the same shards in the same order. The argument
// has the parts of each attempt, and a group lists the indices of its attempts.
func sameShards(parts [][]part) (groups [][]int) {
	same := func(a, b part) bool { return a.shard == b.shard }
	for i := range parts {
		g := slices.IndexFunc(groups, func(g []int) bool { return slices.EqualFunc(parts[g[0]], parts[i], same) })
		if g < 0 {
			g = len(groups)
			groups = append(groups, nil)
		}
		groups[g] = append(groups[g], i)
	}
	return groups
}

// inTime returns the outcome of each attempt. A call of outcome may wait for a slow shard, so the groups of sameShards
// run concurrently. When the first group has its outcomes, inTime waits for the others only for the given time. The
// attempts of later groups get the reason api.ShardLate.
func inTime(after time.Duration, groups [][]int, outcome func(attempt int) api.Outcome) []api.Outcome {
	n := 0
	for _, g := range groups {
		n += len(g)
	}
	outcomes := make([]api.Outcome, n)
	if len(groups) == 1 {
		for i := range outcomes {
			outcomes[i] = outcome(i)
		}
		return outcomes
	}
	type result struct {
		group    []int
		outcomes []api.Outcome
	}
	results := make(chan result, len(groups))
	for _, g := range groups {
		go func() {
			r := result{g, make([]api.Outcome, len(g))}
			for i, attempt := range g {
				r.outcomes[i] = outcome(attempt)
			}
			results <- r
		}()
	}
	for i := range outcomes {
		outcomes[i] = api.Outcome{Reason: api.ShardLate}
	}
	var late <-chan time.Time // starts with the first result: while there is no result, the whole host may be slow
	for range groups {
		select {
		case r := <-results:
			for i, attempt := range r.group {
				outcomes[attempt] = r.outcomes[i]
			}
			if late == nil {
				late = time.After(after)
			}
		case <-late:
			return outcomes
		}
	}
	return outcomes
}
