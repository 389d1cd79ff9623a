package peer

import (
	"context"
	"slices"
	"sync"
	"testing"
)

// A caller whose context ends gets the zero value. The other messages that wait are still sent.
func TestCancelledCallerCancelsNoOtherMessage(t *testing.T) {
	t.Parallel()
	f := newFake(t, "stock", true)
	b := newDoubler(open(t, f.address))
	var callers sync.WaitGroup
	for n := range maxInFlight {
		callers.Go(func() { b.Do(t.Context(), n) })
		f.next(t)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancelled := make(chan int, 1)
	go func() { cancelled <- b.Do(ctx, 100) }()
	eventually(t, "the first message waits", func() bool { return b.waiting("0") == 1 })
	callers.Go(func() {
		if got := b.Do(t.Context(), 101); got != 202 {
			t.Errorf("the other caller got %d, want 202", got)
		}
	})
	eventually(t, "both messages wait", func() bool { return b.waiting("0") == 2 })
	cancel()
	if got := <-cancelled; got != 0 {
		t.Errorf("the cancelled caller got %d, want 0", got)
	}
	f.release <- struct{}{}
	if list := f.next(t); !slices.Equal(list, []int{101}) {
		t.Errorf("received %v, want only the message of the other caller", list)
	}
	for range maxInFlight {
		f.release <- struct{}{}
	}
	callers.Wait()
}

// While a peer hangs, callers cancel more messages than one request can have. When the peer continues, the next
// request has only the message of the caller that still waits.
func TestMessagesOfCancelledCallersAreDropped(t *testing.T) {
	t.Parallel()
	f := newFake(t, "stock", true)
	b := newDoubler(open(t, f.address))
	var live, cancelled sync.WaitGroup
	do := func(n int) {
		live.Go(func() {
			if got := b.Do(t.Context(), n); got != 2*n {
				t.Errorf("the double of %d: got %d, want %d", n, got, 2*n)
			}
		})
	}
	do(1)
	f.next(t)
	const many = 2 * maxBatch
	giveUp := func() {
		ctx, cancel := context.WithCancel(t.Context())
		before := b.waiting("0")
		for range many {
			cancelled.Go(func() { b.Do(ctx, 2) })
		}
		eventually(t, "the messages wait", func() bool { return b.waiting("0") == before+many })
		cancel()
		cancelled.Wait()
	}
	giveUp()
	do(3)
	eventually(t, "the live message waits", func() bool { return b.waiting("0") == many+1 })
	giveUp()
	f.release <- struct{}{}
	if list := f.next(t); !slices.Equal(list, []int{3}) {
		t.Errorf("received %d messages, want only the live one", len(list))
	}
	if n := b.waiting("0"); n != 0 {
		t.Errorf("%d messages wait, want none", n)
	}
	giveUp()
	close(f.release)
	live.Wait()
	eventually(t, "the batcher is idle", b.idle)
	if n := len(f.received); n != 0 {
		t.Errorf("received %d more requests, want none", n)
	}
}
