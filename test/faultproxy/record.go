package faultproxy

import (
	"math/rand/v2"
	"sync"
)

// Recorder keeps messages, to send them again when nobody expects them any more.
type Recorder struct {
	Most int        // messages; of more, some are forgotten:
	Dice *rand.Rand // these

	mu   sync.Mutex
	kept []kept
}

type kept struct {
	to *Tap
	m  message
}

func (r *Recorder) keep(to *Tap, m message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.kept) < r.Most {
		r.kept = append(r.kept, kept{to, m})
	} else {
		r.kept[r.Dice.IntN(len(r.kept))] = kept{to, m}
	}
}

// Replay sends up to n of the messages that were kept, chosen by dice, to where they went before, and waits until they are answered
// or lost. It returns how many were sent.
func (r *Recorder) Replay(n int, dice *rand.Rand) int {
	r.mu.Lock()
	chosen := make([]kept, 0, n)
	for range min(n, len(r.kept)) {
		chosen = append(chosen, r.kept[dice.IntN(len(r.kept))])
	}
	r.mu.Unlock()
	var sending sync.WaitGroup
	atOnce := make(chan struct{}, 16)
	for _, k := range chosen {
		atOnce <- struct{}{}
		sending.Go(func() {
			defer func() { <-atOnce }()
			k.to.send(k.m)
		})
	}
	sending.Wait()
	return len(chosen)
}
