package saga

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"checkout/common/api"
	"checkout/common/shard"
	"checkout/common/testredis"
	"checkout/order/store"
)

// The type "hung" is a participant with a shard that hangs.
type hung struct {
	Participant
	refuses                  bool         // whether another shard of the participant refuses each reservation
	reserves, releases, late atomic.Int32 // late: releases with a longer timeout than releaseWait (1 h), or none
}

func (h *hung) Reserve(context.Context, api.Attempt) api.Outcome {
	h.reserves.Add(1)
	if h.refuses {
		return api.Outcome{Code: api.Refused, Reason: api.Insufficient, Hangs: true, Shards: []int{0, 1}}
	}
	return api.Outcome{Code: api.Unknown, Reason: api.ShardHangs, Hangs: true}
}

func (h *hung) Release(ctx context.Context, _ api.Attempt) api.Outcome {
	h.releases.Add(1)
	if end, ok := ctx.Deadline(); !ok || time.Until(end) > time.Hour {
		h.late.Add(1)
	}
	return api.Outcome{Reason: api.ShardHangs, Hangs: true}
}

// If a shard hangs, a participant replies after 0.7 s, but the client must get an error within a second. So the
// coordinator does not retry the reservation, and waits for the release for at most releaseWait.
func TestCheckoutWaitsOnceForAHungShard(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"stock", "payment", "stock, and another shard refuses"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openShop(t)
			item, user := shard.Mint(0), shard.Mint(0)
			s.set("{s0}i:"+item, 5)
			s.set("{p0}u:"+user, 10)
			h := &hung{refuses: strings.Contains(name, "refuses")}
			if name != "payment" {
				h.Participant, s.co.stock = s.stock, h
			} else {
				h.Participant, s.co.payment = s.payment, h
			}
			id := s.order(user, map[string]int64{item: 1})
			s.co.total.after, s.co.releaseWait = 2*time.Hour, time.Hour // the release must not end before its message is sent
			if err := s.co.Checkout(t.Context(), id, Request{}); !errors.Is(err, api.Unavailable) {
				t.Errorf("checkout: got %v, want %v", err, api.Unavailable)
			}
			wantReleases := int32(1)
			// After a refusal, the stored reason does not mention the hang, so a second checkout would wait longer.
			if !h.refuses {
				second := New(s.store, s.co.stock, s.co.payment)
				second.total.after, second.releaseWait = 2*time.Hour, time.Hour
				if err := second.Checkout(t.Context(), id, Request{}); !errors.Is(err, api.Unavailable) {
					t.Errorf("second checkout: got %v, want %v", err, api.Unavailable)
				}
				wantReleases++
			}
			reserves, releases, late := h.reserves.Load(), h.releases.Load(), h.late.Load()
			if state := s.state(id); reserves != 1 || releases != wantReleases || late != 0 || state != store.StateAborting {
				t.Errorf("%d reservations, %d releases, %d with a longer timeout, order %s; want 1, %d, 0, ABORTING",
					reserves, releases, late, state, wantReleases)
			}
		})
	}
}

// releaseWait limits a release only if a client waits for it. No client waits for recovery.
func TestRecoveryWaitsForTheReleaseOfAHungAttempt(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.co.releaseWait = 0
	item, user := shard.Mint(0), shard.Mint(0)
	s.set("{s0}i:"+item, 5)
	id := s.order(user, map[string]int64{item: 1})
	begun, err := s.store.Begin(t.Context(), id, mintAttempt(""), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.store.Abort(t.Context(), id, begun.Attempt, reasonHung, store.Steps{}); err != nil {
		t.Fatal(err)
	}
	r := NewRecovery(s.co)
	testredis.Eventually(t, "recovery reopens the order", func() bool {
		makeDue(t, s.at("{o0}"), "{o0}")
		r.recoverDue(t.Context(), s.store.Shards()[0])
		return s.state(id) == store.StateOpen
	})
}

// If a shard begins to hang while a checkout is in flight, the checkout retries for restartBudget, although each try
// takes 0.7 s.
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

// While an instance of a participant starts on a busy host, calls to the instance fail slowly, because it has not
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
			t.Errorf("got %+v after %d tries, want Reserved, the reply of the second instance", outcome, tries)
		}
	})
}
