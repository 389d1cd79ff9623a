package peer

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const lateReply = -1

// newSharingDoubler returns a batcher whose groups share requests.
func newSharingDoubler(p *Peer) *Batcher[int, int] {
	return newDoubler(p).ShareRequests(func(n int) bool { return n == lateReply })
}

func (b *Batcher[In, Out]) isApart(group string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sharing.apart[group]
}

func TestGroupsShareARequest(t *testing.T) {
	t.Parallel()
	f := newFake(t, "stock", true)
	b := newSharingDoubler(open(t, f.address))
	b.sharing.slowAfter = time.Hour
	var callers sync.WaitGroup
	for i, n := range []int{1, 1000, 2000, 3000} {
		callers.Go(func() {
			if got := b.Do(t.Context(), n); got != 2*n {
				t.Errorf("the double of %d: got %d, want %d", n, got, 2*n)
			}
		})
		if i == 0 {
			f.next(t)
		} else {
			eventually(t, "the message waits", func() bool { return b.waiting(sharedQueue) == i })
		}
	}
	f.release <- struct{}{}
	if list := f.next(t); !slices.Equal(list, []int{1000, 2000, 3000}) {
		t.Errorf("received %v, want [1000 2000 3000], one message of each group", list)
	}
	f.release <- struct{}{}
	callers.Wait()
	eventually(t, "the batcher is idle", b.idle)
}

// Group 0 gets a late reply in a shared request, and its next request hangs. Group 1 still gets its replies. When group
// 0 gets replies again, both groups share requests again.
func TestLateGroupDelaysNoOtherGroup(t *testing.T) {
	t.Parallel()
	f := newFake(t, "stock", true)
	release := make(chan struct{})
	var hangs atomic.Bool
	hangs.Store(true)
	f.reply = func(list []int) any {
		hang := hangs.Load()
		if hang && list[len(list)-1] < 1000 {
			<-release
		}
		out := slices.Clone(list)
		if hang && list[len(list)-1] >= 1000 { // a shared request
			for i, n := range list {
				if n < 1000 {
					out[i] = lateReply
				}
			}
		}
		return out
	}
	b := newSharingDoubler(open(t, f.address))
	b.sharing.slowAfter = time.Hour
	var callers sync.WaitGroup
	do := func(n int) {
		callers.Go(func() {
			if got := b.Do(t.Context(), n); got != n {
				t.Errorf("message %d: got %d, want the number itself", n, got)
			}
		})
	}
	do(1999) // holds the queue until the next two messages wait
	f.next(t)
	do(1)
	eventually(t, "the message of group 0 waits", func() bool { return b.waiting(sharedQueue) == 1 })
	do(1000)
	eventually(t, "both messages wait", func() bool { return b.waiting(sharedQueue) == 2 })
	f.release <- struct{}{}
	if list := f.next(t); !slices.Equal(list, []int{1, 1000}) {
		t.Fatalf("received %v, want [1 1000], one message of each group", list)
	}
	close(f.release)
	if list := f.next(t); !slices.Equal(list, []int{1}) {
		t.Errorf("received %v, want [1], the late message again", list)
	}
	if !b.isApart("0") || b.isApart("1") {
		t.Errorf("apart: group 0 %v, group 1 %v; want only group 0", b.isApart("0"), b.isApart("1"))
	}
	for n := range 20 {
		if got := b.Do(t.Context(), 1000+n); got != 1000+n {
			t.Errorf("message %d: got %d, want the number itself", 1000+n, got)
		}
	}
	hangs.Store(false)
	close(release)
	callers.Wait()
	eventually(t, "group 0 shares requests again", func() bool { return !b.isApart("0") })
	eventually(t, "the batcher is idle", b.idle)
}

// While a shared request hangs, messages of other groups wait for at most slowAfter. A group that got no reply shares
// no requests until it gets a reply.
func TestSlowRequestDelaysNoOtherGroup(t *testing.T) {
	t.Parallel()
	f := newFake(t, "stock", false)
	release := make(chan struct{})
	var hangs atomic.Bool
	hangs.Store(true)
	f.reply = func(list []int) any {
		hang := hangs.Load()
		if hang && list[0] < 1000 {
			<-release
			return make([]int, len(list))
		}
		return list
	}
	b := newSharingDoubler(open(t, f.address))
	var callers sync.WaitGroup
	hang := func() {
		callers.Go(func() {
			if got := b.Do(t.Context(), 1); got != 0 {
				t.Errorf("message of the group that hangs: got %d, want 0 for no reply", got)
			}
		})
		f.next(t)
	}
	others := func() {
		t.Helper()
		for n := range 20 {
			if got := b.Do(t.Context(), 1000+n); got != 1000+n {
				t.Errorf("message %d of the other group: got %d, want 1000 plus the message number", n, got)
			}
			f.next(t)
		}
	}
	hang()
	others() // the first message waits for slowAfter
	release <- struct{}{}
	callers.Wait()
	if !b.isApart("0") {
		t.Error("group 0 shares requests after a request without replies, want it apart")
	}
	hang()
	others()
	release <- struct{}{}
	callers.Wait()

	hangs.Store(false)
	eventually(t, "a fast request of group 0", func() bool {
		if got := b.Do(t.Context(), 1); got != 1 {
			t.Errorf("group 0 replies again: got %d, want 1", got)
		}
		return !b.isApart("0")
	})
	eventually(t, "the batcher is idle", b.idle)
}

// Without ShareRequests, messages of different groups never share a request.
func TestSeparateGroups(t *testing.T) {
	t.Parallel()
	f := newFake(t, "stock", true)
	b := newDoubler(open(t, f.address))
	var callers sync.WaitGroup
	for _, n := range []int{1, 1000, 2000} {
		callers.Go(func() { b.Do(t.Context(), n) })
		if list := f.next(t); !slices.Equal(list, []int{n}) {
			t.Errorf("received %v, want only %d", list, n)
		}
	}
	close(f.release)
	callers.Wait()
}
