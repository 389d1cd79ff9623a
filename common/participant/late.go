package participant

import (
	"slices"
	"time"

	"checkout/common/api"
)

// lateAfter is how long a request waits for its other attempts after the first ones have outcomes. lateAfter is much
// longer than a request usually takes: 5 to 20 ms with 256 clients. It is much shorter than a second, because clients
// get a response within a second.
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

// inTime returns the outcome of each attempt. A call of the function outcome may wait for a slow shard, so the groups
// (see sameShards) run concurrently. After the first group has its outcomes, inTime waits for the other groups, but at
// most for the duration "after". The attempts of groups that take longer get the reason api.ShardLate.
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
	var late <-chan time.Time // the timer starts at the first result: until then, the whole host may be slow
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
