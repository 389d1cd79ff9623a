package faultproxy

import (
	"math/rand/v2"
	"sync"
)

// random draws the random numbers that select messages for faults. The numbers for the n-th message depend only on the
// seed and n, not on the time or on earlier faults.
type random struct {
	mu                sync.Mutex
	messages, replies *rand.Rand
}

// draw holds the random numbers for one message. Each number is from 0 to 1.
type draw struct{ delay, duplicate, duplicateAfter, repeat, repeatAfter, record float64 }

// Seed restarts the sequence of random numbers. A new proxy has seed 0.
func (p *Proxy) Seed(seed uint64) {
	p.random.mu.Lock()
	defer p.random.mu.Unlock()
	p.random.messages, p.random.replies = rand.New(rand.NewPCG(seed, 0)), rand.New(rand.NewPCG(seed, 1))
}

// message draws the numbers for the next message.
func (r *random) message() draw {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := r.messages.Float64
	return draw{
		delay: next(), duplicate: next(), duplicateAfter: next(), repeat: next(), repeatAfter: next(), record: next(),
	}
}

// reply draws the number for the next reply.
func (r *random) reply() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.replies.Float64()
}
