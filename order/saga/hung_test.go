package saga

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"checkout/common/api"
	"checkout/common/shard"
	"checkout/order/store"
)

// The type "hung" is a participant with a shard that hangs.
type hung struct {
	Participant
	reserves, releases, late atomic.Int32 // late: releases for which the coordinator waited longer than a client waits
}

func (h *hung) Reserve(context.Context, api.Attempt) api.Outcome {
	h.reserves.Add(1)
	return api.Outcome{Code: api.Unknown, Reason: api.ShardHangs}
}

func (h *hung) Release(ctx context.Context, _ api.Attempt) api.Outcome {
	h.releases.Add(1)
	select {
	case <-ctx.Done():
	case <-time.After(5 * time.Second):
		h.late.Add(1)
	}
	return api.Outcome{}
}

// Each instance of a participant needs 0.7 s to notice that a shard hangs. A client must get an error within a second,
// so the coordinator sends no second reservation, and does not wait for the release.
func TestCheckoutWaitsOnceForAHungShard(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"stock", "payment"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openShop(t)
			item, user := shard.Mint(0), shard.Mint(0)
			s.set("{s0}i:"+item, 5)
			s.set("{p0}u:"+user, 10)
			h := &hung{}
			if name == "stock" {
				h.Participant, s.co.stock = s.stock, h
			} else {
				h.Participant, s.co.payment = s.payment, h
				s.co.stock = instant{s.stock} // so that the release of the credit begins in time
			}
			id := s.order(user, map[string]int64{item: 1})
			if err := s.co.Checkout(t.Context(), id, Request{}); !errors.Is(err, api.Unavailable) {
				t.Errorf("checkout: got %v, want %v", err, api.Unavailable)
			}
			reserves, releases, late := h.reserves.Load(), h.releases.Load(), h.late.Load()
			if state := s.state(id); reserves != 1 || releases != 1 || late != 0 || state != store.StateAborting {
				t.Errorf("%d reservations, %d releases, %d of them awaited, order %s; want 1, 1, 0, ABORTING",
					reserves, releases, late, state)
			}
		})
	}
}

// The type "instant" is a participant that releases at once.
type instant struct{ Participant }

func (instant) Release(context.Context, api.Attempt) api.Outcome {
	return api.Outcome{Code: api.Released}
}

// A checkout that was in flight when the shard failed retries even a slow step until the restart budget ends.
func TestACheckoutInFlightWaitsForAHungShard(t *testing.T) {
	step := newMetrics().steps.reserveStock
	synctest.Test(t, func(t *testing.T) {
		arrived, tries := time.Now(), 0
		time.Sleep(time.Millisecond)
		lastReply := time.Now()
		retryUntilKnown(t.Context(), step, arrived, func() api.Outcome {
			tries++
			time.Sleep(700 * time.Millisecond)
			silent := time.Since(lastReply).Milliseconds()
			return api.Outcome{Code: api.Unknown, Reason: api.ShardHangs, SilentMS: silent}
		})
		if took := time.Since(lastReply); tries < 3 || took < restartBudget {
			t.Errorf("ended after %d tries and %v, want at least 3 tries and %v", tries, took, restartBudget)
		}
	})
}

// While an instance of a participant starts on a busy host, calls of the instance fail slowly, because it has not
// checked its shards yet. Another instance may reply, so the coordinator retries.
func TestASlowFailureIsRetried(t *testing.T) {
	step := newMetrics().steps.releaseCredit
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		outcome := retryUntilKnown(t.Context(), step, time.Now(), func() api.Outcome {
			if tries++; tries > 1 {
				return api.Outcome{Code: api.Reserved}
			}
			time.Sleep(700 * time.Millisecond)
			return api.Outcome{Code: api.Unknown, Reason: api.ShardDown, SilentMS: 700}
		})
		if outcome.Code != api.Reserved {
			t.Errorf("got %+v after %d tries, want the reply of the second instance", outcome, tries)
		}
	})
}
