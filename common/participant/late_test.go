package participant

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/testredis"
)

func TestLateOutcomes(t *testing.T) {
	t.Parallel()
	const never = time.Hour
	for name, c := range map[string]struct {
		groups [][]int
		takes  []time.Duration // by attempt
		late   []int           // attempts
		want   time.Duration   // until inTime returns
	}{
		"one group":                   {[][]int{{0, 1}}, []time.Duration{0, never}, nil, never},
		"all in time":                 {[][]int{{0, 2}, {1}}, []time.Duration{1, 2, 3}, nil, 4},
		"just in time":                {[][]int{{0}, {1}}, []time.Duration{5, 4 + lateAfter}, nil, 4 + lateAfter},
		"one group hangs":             {[][]int{{0}, {1, 2}}, []time.Duration{5, never, 1}, []int{1, 2}, 5 + lateAfter},
		"all are slow":                {[][]int{{0}, {1}}, []time.Duration{never, never + 1}, nil, never + 1},
		"the others are slower still": {[][]int{{0}, {1}, {2}}, []time.Duration{1, never, never}, []int{1, 2}, 1 + lateAfter},
	} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			outcomes := inTime(lateAfter, c.groups, func(attempt int) api.Outcome {
				time.Sleep(c.takes[attempt])
				return api.Outcome{Code: api.Reserved, Shards: []int{attempt}}
			})
			if took := time.Since(start); took != c.want {
				t.Errorf("%s: took %v, want %v", name, took, c.want)
			}
			for i, o := range outcomes {
				if slices.Contains(c.late, i) {
					if o.Code != api.Unknown || o.Reason != api.ShardLate {
						t.Errorf("%s: attempt %d: got %+v, want UNKNOWN and ShardLate", name, i, o)
					}
				} else if o.Code != api.Reserved || !slices.Equal(o.Shards, []int{i}) {
					t.Errorf("%s: attempt %d: got %+v, want RESERVED with the attempt's number in Shards", name, i, o)
				}
			}
			time.Sleep(3 * never) // let the calls of the late groups return
		})
	}
}

func TestAttemptsOfASlowShardAreLate(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "stock", 2, Scripts)
	good, paused := api.Line{ID: put(t, servers, 0, 100), Quantity: 1}, api.Line{ID: put(t, servers, 1, 100), Quantity: 1}
	res := NewReservations(c, "i:")
	three := func() []api.Attempt {
		return []api.Attempt{attempt(far, paused), attempt(far, good), attempt(far, good, paused)}
	}
	res.late = time.Hour
	if got := res.Reserve(t.Context(), three()); got[0].Code != api.Reserved || got[2].Code != api.Reserved {
		t.Fatalf("before the pause: got %+v, want RESERVED", got)
	}
	res.late = lateAfter
	attempts := three()
	whilePaused(t, c, servers, 1, "only the attempts on the paused shard are late", func() bool {
		got := res.Reserve(t.Context(), attempts)
		return got[0].Reason == api.ShardLate && got[1].Code == api.Reserved && got[2].Reason == api.ShardLate
	})
	testredis.Eventually(t, "the late attempts are reserved, once", func() bool {
		return counter(t, servers, paused.ID) == 96 && counter(t, servers, good.ID) == 96
	})
	for i := range attempts {
		testredis.Eventually(t, "the attempt is reserved", func() bool {
			return res.Reserve(t.Context(), attempts[i:i+1])[0].Code == api.Reserved
		})
	}
	if x, y := counter(t, servers, good.ID), counter(t, servers, paused.ID); x != 96 || y != 96 {
		t.Errorf("counters after all attempts were sent twice: got %d and %d, want 96", x, y)
	}
}

// whilePaused pauses a shard, calls holds and resumes the shard. It tries again until holds returns true: if the host
// stalls during a pause, the shard may count as hanging.
func whilePaused(
	t *testing.T, c *cluster.Cluster, servers []*testredis.Server, shard int, what string, holds func() bool,
) {
	t.Helper()
	testredis.Eventually(t, what, func() bool {
		if !c.Shards()[shard].Healthy() {
			return false
		}
		servers[shard].Pause()
		defer servers[shard].Resume()
		return holds()
	})
}
