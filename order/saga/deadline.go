package saga

import (
	"context"
	"sync"
	"time"
)

// granularity is how late a context may expire.
const granularity = 100 * time.Millisecond

// The type "deadlines" creates contexts with a timeout. Contexts created within the same 100 ms (granularity) share one
// deadline and one timer. Sharing saves timers: each checkout needs several contexts, which rarely expire.
type deadlines struct {
	after time.Duration

	mu     sync.Mutex
	latest context.Context
	cancel context.CancelFunc // cancels the current shared context; only tests call it
	shared time.Time          // until this time, new contexts share the current one
}

// The method "from" returns a context with the values of ctx. The returned context expires after d.after, or up to 100
// ms (granularity) later. It does not end when ctx ends.
func (d *deadlines) from(ctx context.Context) context.Context {
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !now.Before(d.shared) {
		d.shared = now.Add(granularity)
		// Never cancel the shared context, because other checkouts may use it.
		d.latest, d.cancel = context.WithDeadline(context.Background(), d.shared.Add(d.after))
	}
	return bounded{d.latest, ctx}
}

// The type "bounded" is a context with the deadline of one context and the values of another.
type bounded struct {
	context.Context
	values context.Context
}

// Value implements context.Context.
func (b bounded) Value(key any) any { return b.values.Value(key) }
