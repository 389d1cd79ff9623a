package peer

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"checkout/common/requestid"
)

func newDoubler(p *Peer) *Batcher[int, int] {
	return NewBatcher[int, int](p, "/double", func(n int) string { return strconv.Itoa(n / 1000) })
}

// receive returns the next list that arrives.
func (d *door) receive(t *testing.T) []int {
	t.Helper()
	select {
	case list := <-d.arrived:
		return list
	case <-time.After(5 * time.Second):
		t.Fatal("nothing arrives")
		return nil
	}
}

func (b *Batcher[In, Out]) idle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queues) == 0
}

// One caller alone never waits for others: its message is a request of its own, at once.
func TestOneCallerAlone(t *testing.T) {
	t.Parallel()
	d := newDoor(t, "stock", false)
	b := newDoubler(open(t, d.addr))
	start := time.Now()
	for n := range 200 {
		if got := b.Do(t.Context(), n); got != 2*n {
			t.Fatalf("%d was doubled to %d", n, got)
		}
		if list := d.receive(t); len(list) != 1 || list[0] != n {
			t.Fatalf("%v arrived, want %d", list, n)
		}
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("200 calls took %v", took)
	}
	eventually(t, "no queue is left", b.idle)
}

// A message names the request that it is sent for, and one that is sent for many requests names each.
func TestRequestsAreNamed(t *testing.T) {
	t.Parallel()
	d := newDoor(t, "stock", true)
	b := newDoubler(open(t, d.addr))
	var callers sync.WaitGroup
	call := func(id string) { callers.Go(func() { b.Do(requestid.NewContext(t.Context(), id), 7) }) }
	call("first")
	d.receive(t)
	for i, id := range []string{"a", "b", "c"} {
		call(id)
		eventually(t, "it waits", func() bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			return len(b.queues["0"].waiting) == i+1
		})
	}
	d.release <- struct{}{}
	d.receive(t)
	d.release <- struct{}{}
	callers.Wait()
	if one, three := <-d.ids, <-d.ids; one != "first" || three != "a,b,c" {
		t.Errorf("messages came for %q, then %q", one, three)
	}
	callers.Go(func() { b.Do(t.Context(), 7) })
	d.receive(t)
	d.release <- struct{}{}
	callers.Wait()
	if none := <-d.ids; none != "" {
		t.Errorf("a message for no request came for %q", none)
	}
}

// Messages that come while as many requests as may be are under way travel together, each with its own answer.
func TestConcurrentCallsTravelTogether(t *testing.T) {
	t.Parallel()
	d := newDoor(t, "stock", true)
	b := newDoubler(open(t, d.addr))
	var callers sync.WaitGroup
	call := func(n int) {
		callers.Go(func() {
			if got := b.Do(t.Context(), n); got != 2*n {
				t.Errorf("%d was doubled to %d", n, got)
			}
		})
	}
	for n := range maxInFlight {
		call(n)
		if list := d.receive(t); len(list) != 1 {
			t.Errorf("%v arrived, want one", list)
		}
	}
	const waiting = 2*maxBatch + 10
	for n := range waiting {
		call(maxInFlight + n%900)
	}
	eventually(t, "all of them wait", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.queues["0"] != nil && len(b.queues["0"].waiting) == waiting
	})
	var sizes []int
	for range maxInFlight + 3 {
		d.release <- struct{}{}
		if len(sizes) < 3 {
			sizes = append(sizes, len(d.receive(t)))
		}
	}
	callers.Wait()
	if sizes[0] != maxBatch || sizes[1] != maxBatch || sizes[2] != 10 {
		t.Errorf("%d messages travelled in requests of %v", waiting, sizes)
	}
	eventually(t, "no queue is left", b.idle)
}

// A group whose requests hang holds up no other group.
func TestGroupsTravelApart(t *testing.T) {
	t.Parallel()
	d := newDoor(t, "stock", false)
	held := make(chan struct{})
	d.answer = func(list []int) any {
		if list[0] < 1000 {
			<-held
		}
		return list
	}
	b := newDoubler(open(t, d.addr))
	var callers sync.WaitGroup
	for n := range 10 {
		callers.Go(func() { b.Do(t.Context(), n) })
	}
	for range maxInFlight {
		d.receive(t)
	}
	for n := range 20 {
		if got := b.Do(t.Context(), 1000+n); got != 1000+n {
			t.Errorf("got %d", got)
		}
	}
	close(held)
	callers.Wait()
}

// A caller that leaves gets nothing, and takes nothing away: what travels with its message arrives, and so does its own.
func TestLeavingCallerCancelsNobody(t *testing.T) {
	t.Parallel()
	d := newDoor(t, "stock", true)
	b := newDoubler(open(t, d.addr))
	var callers sync.WaitGroup
	for n := range maxInFlight {
		callers.Go(func() { b.Do(t.Context(), n) })
		d.receive(t)
	}
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan int, 1)
	go func() { left <- b.Do(ctx, 100) }()
	waits := func(n int) func() bool {
		return func() bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.queues["0"] != nil && len(b.queues["0"].waiting) == n
		}
	}
	eventually(t, "the first one waits", waits(1))
	callers.Go(func() {
		if got := b.Do(t.Context(), 101); got != 202 {
			t.Errorf("who stayed got %d", got)
		}
	})
	eventually(t, "both wait", waits(2))
	leave()
	if got := <-left; got != 0 {
		t.Errorf("who left got %d", got)
	}
	d.release <- struct{}{}
	if list := d.receive(t); len(list) != 2 || list[0] != 100 || list[1] != 101 {
		t.Errorf("%v arrived, want both", list)
	}
	for range maxInFlight {
		d.release <- struct{}{}
	}
	callers.Wait()
}

// No answer, or one that does not fit, is the zero value for everybody: the outcome is unknown.
func TestNoAnswerIsUnknown(t *testing.T) {
	t.Parallel()
	d := newDoor(t, "stock", false)
	p := open(t, d.addr)
	for name, answer := range map[string]func([]int) any{
		"too few":  func([]int) any { return []int{} },
		"too many": func(list []int) any { return append(list, 7) },
		"no list":  func([]int) any { return "x" },
		"nothing":  func([]int) any { return nil },
	} {
		d.mu.Lock()
		d.answer = answer
		d.mu.Unlock()
		if got := newDoubler(p).Do(t.Context(), 5); got != 0 {
			t.Errorf("%s: got %d", name, got)
		}
	}
	b := NewBatcher[int, int](p, "/fail", func(int) string { return "" })
	if got := b.Do(t.Context(), 5); got != 0 {
		t.Errorf("failure: got %d", got)
	}
}
