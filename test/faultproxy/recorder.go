package faultproxy

import (
	"math/rand/v2"
	"sync"
)

// Recorder keeps messages and replays them later.
type Recorder struct {
	Capacity int        // maximum number of messages; if it is reached, a new message overwrites a random message
	Random   *rand.Rand // chooses the messages to overwrite

	mu   sync.Mutex
	kept []recorded
}

type recorded struct {
	proxy   *Proxy
	message message
}

func (r *Recorder) add(p *Proxy, m message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.kept) < r.Capacity {
		r.kept = append(r.kept, recorded{p, m})
	} else {
		r.kept[r.Random.IntN(len(r.kept))] = recorded{p, m}
	}
}

// Replay sends up to n random messages, each to the target of its proxy, and waits for the replies. It may send a
// message twice. It returns the number of messages.
func (r *Recorder) Replay(n int, random *rand.Rand) int {
	r.mu.Lock()
	chosen := make([]recorded, 0, n)
	for range min(n, len(r.kept)) {
		chosen = append(chosen, r.kept[random.IntN(len(r.kept))])
	}
	r.mu.Unlock()
	var sending sync.WaitGroup
	slots := make(chan struct{}, 16)
	for _, k := range chosen {
		slots <- struct{}{}
		sending.Go(func() {
			defer func() { <-slots }()
			k.proxy.send(k.message)
		})
	}
	sending.Wait()
	return len(chosen)
}
