// Package logs limits how many lines an instance logs about the same fault.
package logs

import (
	"sync"
	"time"
)

// A Limiter allows a burst of lines for each key, and then one line per second. Use a Limiter for outages, when
// thousands of requests fail for the same reason. The zero value is ready to use. A Limiter never forgets a key, so a
// program must use a bounded number of keys.
type Limiter struct {
	mu   sync.Mutex
	keys map[string]*bucket
	now  func() time.Time // for tests; nil means time.Now
}

// bucket is the state of one key.
type bucket struct {
	lines    int // lines that may be logged now
	refilled time.Time
	unlogged int // lines rejected since the last allowed line
}

const (
	burst  = 10
	refill = time.Second
)

// Allow reports whether a line may be logged now. If so, unlogged is the number of lines that Allow has rejected for
// the key since the last allowed line.
func (l *Limiter) Allow(key string) (unlogged int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now
	if l.now != nil {
		now = l.now
	}
	at := now()
	b := l.keys[key]
	if b == nil {
		if l.keys == nil {
			l.keys = map[string]*bucket{}
		}
		b = &bucket{lines: burst, refilled: at}
		l.keys[key] = b
	}
	if added := int(at.Sub(b.refilled) / refill); added > 0 {
		b.lines = min(burst, b.lines+added)
		b.refilled = b.refilled.Add(time.Duration(added) * refill)
	}
	if b.lines == 0 {
		b.unlogged++
		return 0, false
	}
	b.lines--
	unlogged, b.unlogged = b.unlogged, 0
	return unlogged, true
}
