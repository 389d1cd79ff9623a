package saga

import (
	"context"
	"sync"
	"time"
)

// granularity is how much later than requested a deadline may be.
const granularity = 100 * time.Millisecond

// deadlines makes contexts with a timeout. Contexts requested within granularity share one deadline and one timer: each
// checkout needs several, and they hardly ever fire.
type deadlines struct {
	after time.Duration

	mu     sync.Mutex
	latest context.Context
	cancel context.CancelFunc // of latest
	shared time.Time          // until then latest is shared
}

// from returns a context with the values of ctx that ends after d.after, or up to granularity later. The end of ctx
// does not end it.
func (d *deadlines) from(ctx context.Context) context.Context {
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !now.Before(d.shared) {
		d.shared = now.Add(granularity)
		// Never cancelled: others may share it. It ends at its deadline.
		d.latest, d.cancel = context.WithDeadline(context.Background(), d.shared.Add(d.after))
	}
	return bounded{d.latest, ctx}
}

// bounded has the end of one context and the values of another.
type bounded struct {
	context.Context
	values context.Context
}

// Value implements context.Context.
func (b bounded) Value(key any) any { return b.values.Value(key) }
