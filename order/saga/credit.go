package saga

import (
	"context"
	"slices"
	"sync"
	"time"

	"checkout/common/api"
)

// The payment shard may lose its data while the coordinator waits for stock. Then the credit is no longer reserved, and
// after a commit, the user would never be charged. So the coordinator reserves the credit again before commit, unless a
// recent reply shows that the shard still has its data. If the credit is still reserved, the second reservation
// changes nothing. Only tests change these variables.
var (
	// creditFresh is how long a reply RESERVED to any attempt proves that the payment shard still has its data: payment
	// refuses a Redis that has lost data. The time starts when the message is sent.
	creditFresh = 100 * time.Millisecond
	// creditTrusted limits this proof: an attempt accepts replies to other attempts only for this long after its own
	// reservation. Later, an operator may have replaced the shard, and a reply of the new shard proves nothing.
	creditTrusted = time.Second
)

// The type "replies" stores, for each payment shard, when the last message that got the reply RESERVED was sent.
type replies struct {
	mu   sync.Mutex
	sent map[int]time.Time // by shard
}

func (r *replies) record(shards []int, sent time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sent == nil {
		r.sent = map[int]time.Time{}
	}
	for _, shard := range shards {
		if sent.After(r.sent[shard]) {
			r.sent[shard] = sent
		}
	}
}

// The method "fresh" reports whether each of the shards has replied RESERVED to a message that was sent less than
// creditFresh ago.
func (r *replies) fresh(shards []int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !slices.ContainsFunc(shards, func(shard int) bool { return time.Since(r.sent[shard]) >= creditFresh })
}

// reserveCredit reserves the credit of an attempt, or returns the outcome that payment has already recorded.
func (co *Coordinator) reserveCredit(ctx context.Context, a *attempt) api.Outcome {
	return retryUntilKnown(ctx, co.steps.reserveCredit.of(a), a.arrived, func() api.Outcome {
		sent := time.Now()
		message := a.credit()
		message.Wait = co.waits(ctx, a)
		outcome := co.payment.Reserve(ctx, message)
		if outcome.Code == api.Reserved {
			a.creditReserved = sent
			co.creditReplies.record(outcome.Shards, sent)
		}
		return outcome
	})
}

// recheckCredit returns the outcome of the attempt's credit reservation before commit. It reserves the credit again if
// the payment shard may have lost the reservation.
func (co *Coordinator) recheckCredit(ctx context.Context, a *attempt, credit api.Outcome) api.Outcome {
	if time.Since(a.creditReserved) < creditTrusted && co.creditReplies.fresh(credit.Shards) {
		return credit
	}
	return co.reserveCredit(ctx, a)
}
