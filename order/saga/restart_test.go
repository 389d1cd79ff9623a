package saga

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"checkout/common/api"
)

// A busy machine may need more than 2 s to restart a Redis, so the tests of this package wait longer.
func init() { restartBudget = forwardBudget }

// When a shard fails, the checkouts in flight wait until the shard has restarted. A later checkout gets 503 soon.
func TestCheckoutsInFlightAwaitTheRestartOfAShard(t *testing.T) {
	for _, service := range []string{"order", "stock", "payment"} {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			s := openShards(t)
			inFlight, later := make([]string, 8), s.order(0)
			for i := range inFlight {
				inFlight[i] = s.order(0)
			}
			arrived := time.Now()
			// A checkout is in flight if it arrived before the last reply of the shard. The next call makes each shard 0
			// reply once more, so the time "arrived" is before the last reply.
			if err := s.co.Checkout(t.Context(), s.order(0), Request{}); err != nil {
				t.Fatal(err)
			}
			s.servers[service][0].Kill()
			var working sync.WaitGroup
			var done atomic.Int32
			for _, id := range inFlight {
				working.Go(func() {
					err := s.co.decide(t.Context(), id, Request{arrived: arrived})
					if done.Add(1); err != nil {
						t.Errorf("checkout in flight: got %v, want success", err)
					}
				})
			}
			if err := s.co.Checkout(t.Context(), later, Request{}); !errors.Is(err, api.Unavailable) {
				t.Errorf("later checkout: got %v, want unavailable", err)
			}
			if n := done.Load(); n > 0 {
				t.Errorf("%d checkouts in flight ended before the later checkout, want 0", n)
			}
			s.servers[service][0].Restart(t)
			working.Wait()
			s.recover()
		})
	}
}

// A step waits only a limited time for the restart of a shard.
func TestWaitForTheRestartOfAShardEnds(t *testing.T) {
	step := newMetrics().steps.reserveStock
	tests := map[string]struct {
		arrived       time.Duration // time from the last reply of the shard until the checkout arrived
		replicated    bool
		shortest, end time.Duration // earliest and latest end of the step, as time since the last reply
	}{
		"in flight": {-time.Millisecond, false, restartBudget, restartBudget + 2*lastPause},
		"later":     {time.Millisecond, false, time.Millisecond + downBudget, time.Millisecond + downBudget},

		"in flight, replicated": {-time.Millisecond, true, failoverBudget, failoverBudget + 2*lastPause},
		"later, replicated":     {time.Second, true, failoverBudget, failoverBudget + 2*lastPause},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				reply := time.Now()
				time.Sleep(max(0, test.arrived))
				outcome := retryUntilKnown(t.Context(), step, reply.Add(test.arrived), func() api.Outcome {
					silent := max(1, time.Since(reply).Milliseconds())
					return api.Outcome{Reason: api.ShardDown, SilentMS: silent, Replicated: test.replicated}
				})
				took := time.Since(reply)
				if took < test.shortest || took > test.end || outcome.Reason != api.ShardDown {
					t.Errorf("ended after %v with %+v, want ShardDown after %v to %v", took, outcome, test.shortest, test.end)
				}
			})
		})
	}
}
