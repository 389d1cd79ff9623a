package saga

import (
	"context"
	"slices"
	"sync"
	"time"

	"checkout/common/api"
)

// Stock may reply long after payment. If the payment shard lost its data meanwhile, the credit is no longer reserved,
// and a commit would give the order away. So the coordinator reserves the credit again before commit, unless a recent
// reply has shown that the payment shard keeps its data. A retry of a reservation changes nothing if the record
// exists.
const (
	// creditFresh is the time after sending a message in which its reply proves that the payment shard has lost no
	// data. A reply for any attempt counts, because payment stops using a shard whose write sequence goes back.
	creditFresh = 100 * time.Millisecond
	// creditTrusted is the time after an attempt's own reservation in which the replies for other attempts count.
	// Later, an operator may have replaced the shard, and a reply of the new shard proves nothing.
	creditTrusted = time.Second
)

// replies records when each payment shard last replied RESERVED to a reservation.
type replies struct {
	mu   sync.Mutex
	sent map[int]time.Time // when the message was sent, by shard
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

// fresh reports whether every shard has replied to a message that was sent less than creditFresh ago.
func (r *replies) fresh(shards []int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !slices.ContainsFunc(shards, func(shard int) bool { return time.Since(r.sent[shard]) >= creditFresh })
}

// reserveCredit reserves the credit of an attempt, or reads the recorded result.
func (co *Coordinator) reserveCredit(ctx context.Context, a *attempt) api.Outcome {
	return retryUntilKnown(ctx, co.steps.reserveCredit.of(a), a.arrived, func() api.Outcome {
		sent := time.Now()
		message := a.credit()
		message.Wait = co.waits(a)
		outcome := co.payment.Reserve(ctx, message)
		if outcome.Code == api.Reserved {
			a.creditReserved = sent
			co.creditReplies.record(outcome.Shards, sent)
		}
		return outcome
	})
}

// recheckCredit returns the outcome of the attempt's credit reservation before commit. recheckCredit reserves the
// credit again if the payment shard may have lost the reservation.
func (co *Coordinator) recheckCredit(ctx context.Context, a *attempt, credit api.Outcome) api.Outcome {
	if time.Since(a.creditReserved) < creditTrusted && co.creditReplies.fresh(credit.Shards) {
		return credit
	}
	return co.reserveCredit(ctx, a)
}
