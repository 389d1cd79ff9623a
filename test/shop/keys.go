package shop

import (
	"fmt"
	"math/rand/v2"
	"time"

	"checkout/test/check"
)

// writeClient returns a client for one write. With probability KeyRate the client sends the write with an idempotency
// key. The client then retries while the outcome is unknown, at most five times. Sometimes the client retries after a
// known outcome, or sends two copies concurrently.
func (s *Shop) writeClient(random *rand.Rand) *check.Client {
	if s.behavior.KeyRate == 0 || random.Float64() >= s.behavior.KeyRate {
		return s.Client
	}
	own := rand.New(rand.NewPCG(random.Uint64(), random.Uint64()))
	keyed := &check.KeyedRequest{Key: fmt.Sprintf("%016x%016x", own.Uint64(), own.Uint64()), Parallel: 1 + own.IntN(8)/7}
	keyed.Retry = func(r check.Response, sent int) bool {
		if again := own.IntN(5) == 0; !again && !r.Unknown() || sent == 6 {
			return false
		}
		time.Sleep(time.Duration(own.IntN(100*sent)) * time.Millisecond)
		s.pace()
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keyedRequests = append(s.keyedRequests, keyed)
	return s.Client.WithKey(keyed)
}

// KeyedRequests returns the number of writes with an idempotency key since the last Forget, and the number of replays.
func (s *Shop) KeyedRequests() (sent, replays int) {
	for _, keyed := range s.keyedRequests {
		replays += keyed.Replays()
	}
	return len(s.keyedRequests), replays
}

// MaxOrders returns the number of creates since the last Forget that succeeded or have an unknown outcome.
func (s *Shop) MaxOrders() int { return s.maxOrders }
