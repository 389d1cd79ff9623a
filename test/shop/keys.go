package shop

import (
	"fmt"
	"math/rand/v2"
	"time"

	"checkout/test/check"
)

// keyed is the client for one write: sometimes one that sends it with an idempotency key, and again: until it is
// answered, as far as the customer has the patience, and now and then when it has been, or twice at the same moment.
func (s *Shop) writeClient(dice *rand.Rand) *check.Client {
	if s.behavior.KeyRate == 0 || dice.Float64() >= s.behavior.KeyRate {
		return s.Client
	}
	own := rand.New(rand.NewPCG(dice.Uint64(), dice.Uint64()))
	o := &check.KeyedRequest{Key: fmt.Sprintf("%016x%016x", own.Uint64(), own.Uint64()), Parallel: 1 + own.IntN(8)/7}
	o.Retry = func(a check.Response, sent int) bool {
		if again := own.IntN(5) == 0; !again && !a.Unknown() || sent == 6 {
			return false
		}
		time.Sleep(time.Duration(own.IntN(100*sent)) * time.Millisecond)
		s.pace()
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keyedRequests = append(s.keyedRequests, o)
	return s.Client.WithKey(o)
}

// Onces is how many writes of a closed shop were sent with a key since it was last told to Forget, and how many answers
// said that theirs had been done before.
func (s *Shop) KeyedRequests() (sent, replays int) {
	for _, o := range s.keyedRequests {
		replays += o.Replays()
	}
	return len(s.keyedRequests), replays
}

// MaxOrders returns how many orders the clients may have created since the last Forget.
func (s *Shop) MaxOrders() int { return s.maxOrders }
