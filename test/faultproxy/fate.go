package faultproxy

import (
	"math/rand/v2"
	"sync"
)

// dice are the chances of a tap. What the weather makes of message n is the same for the same seed, whenever it comes, and whatever
// the weather was for those before.
type dice struct {
	mu                sync.Mutex
	messages, replies *rand.Rand
}

// fate is what chance has in store for one message, each from 0 to 1: whether it is held, doubled, comes late, or is kept, and for
// how long.
type fate struct{ hold, double, doubleAfter, late, lateAfter, keep float64 }

// Seed begins the tap's choices anew. A new tap's are those of seed 0.
func (tp *Tap) Seed(seed uint64) {
	tp.dice.mu.Lock()
	defer tp.dice.mu.Unlock()
	tp.dice.messages, tp.dice.replies = rand.New(rand.NewPCG(seed, 0)), rand.New(rand.NewPCG(seed, 1))
}

// next is the fate of the next message.
func (d *dice) next() fate {
	d.mu.Lock()
	defer d.mu.Unlock()
	throw := d.messages.Float64
	return fate{hold: throw(), double: throw(), doubleAfter: throw(), late: throw(), lateAfter: throw(), keep: throw()}
}

// nextReply is for which part of the longest time the next reply is held.
func (d *dice) nextReply() float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.replies.Float64()
}
