package main

import (
	"context"
	"sync"
	"time"
)

// coarse is by how much a deadline may come later than asked for.
const coarse = 100 * time.Millisecond

// deadlines makes contexts that end some time after they are asked for. All that are asked for within a short while share one
// end and its timer: a checkout needs several, hardly ever until they end, and timers of its own were a twelfth of its processor
// time here.
type deadlines struct {
	after time.Duration

	mu     sync.Mutex
	latest context.Context
	end    context.CancelFunc // of latest
	fresh  time.Time          // until then latest is shared
}

// from returns a context that ends after d.after, or up to coarse later, with the values of ctx. The end of ctx does not end it.
func (d *deadlines) from(ctx context.Context) context.Context {
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !now.Before(d.fresh) {
		d.fresh = now.Add(coarse)
		d.latest, d.end = context.WithDeadline(context.Background(), d.fresh.Add(d.after)) // ends by itself, whoever shares it
	}
	return bounded{d.latest, ctx}
}

// bounded is the end of one context and the values of another.
type bounded struct {
	context.Context
	values context.Context
}

func (b bounded) Value(key any) any { return b.values.Value(key) }
