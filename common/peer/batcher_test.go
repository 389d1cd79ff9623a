package peer

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"checkout/common/requestid"
)

// newDoubler returns a batcher for the route /double. The group of a number n is n/1000.
func newDoubler(p *Peer) *Batcher[int, int] {
	return NewBatcher[int, int](p, "/double", func(n int) string { return strconv.Itoa(n / 1000) }, isZero)
}

func isZero(n int) bool { return n == 0 }

// waiting returns the number of messages that wait in a group.
func (b *Batcher[In, Out]) waiting(group string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if q := b.queues[group]; q != nil {
		return len(q.waiting)
	}
	return 0
}

func (b *Batcher[In, Out]) idle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queues) == 0
}

func TestSingleCallerNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		b := newDoubler(inMemory(func(*http.Request) (*http.Response, error) {
			requests++
			body := fmt.Sprintf("[%d]", 2*requests)
			return &http.Response{
				StatusCode: 200, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
			}, nil
		}))
		start := time.Now()
		for n := range 200 {
			if got := b.Do(t.Context(), n+1); got != 2*(n+1) || requests != n+1 {
				t.Fatalf("message %d: got %d after %d requests, want twice the number and one request per message",
					n+1, got, requests)
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("200 calls waited for %v, want 0s", took)
		}
		synctest.Wait()
		if !b.idle() {
			t.Error("the batcher is not idle after the last call, want idle")
		}
	})
}

func TestBatchCarriesTheRequestIDsOfItsMessages(t *testing.T) {
	t.Parallel()
	f := newFake(t, "stock", true)
	b := newDoubler(open(t, f.address))
	var callers sync.WaitGroup
	call := func(id string) { callers.Go(func() { b.Do(requestid.NewContext(t.Context(), id), 7) }) }
	call("first")
	f.next(t)
	for i, id := range []string{"a", "b", "c"} {
		call(id)
		eventually(t, "the message waits", func() bool { return b.waiting("0") == i+1 })
	}
	f.release <- struct{}{}
	f.next(t)
	f.release <- struct{}{}
	callers.Wait()
	if one, three := <-f.requestIDs, <-f.requestIDs; one != "first" || three != "a,b,c" {
		t.Errorf("got the request IDs %q, then %q; want \"first\", then \"a,b,c\"", one, three)
	}
	callers.Go(func() { b.Do(t.Context(), 7) })
	f.next(t)
	f.release <- struct{}{}
	callers.Wait()
	if id := <-f.requestIDs; id != "" {
		t.Errorf("a message without a request ID has %q, want \"\"", id)
	}
}

func TestMessagesThatWaitShareARequest(t *testing.T) {
	t.Parallel()
	f := newFake(t, "stock", true)
	b := newDoubler(open(t, f.address))
	var callers sync.WaitGroup
	call := func(n int) {
		callers.Go(func() {
			if got := b.Do(t.Context(), n); got != 2*n {
				t.Errorf("the double of %d: got %d, want %d", n, got, 2*n)
			}
		})
	}
	for n := range maxInFlight {
		call(n)
		if list := f.next(t); len(list) != 1 {
			t.Errorf("received %v, want one number", list)
		}
	}
	const rest = 10
	const waiting = 2*maxBatch + rest
	for n := range waiting {
		call(maxInFlight + n%900)
	}
	eventually(t, "all messages wait", func() bool { return b.waiting("0") == waiting })
	var sizes []int
	for range maxInFlight + 3 {
		f.release <- struct{}{}
		if len(sizes) < 3 {
			sizes = append(sizes, len(f.next(t)))
		}
	}
	callers.Wait()
	if sizes[0] != maxBatch || sizes[1] != maxBatch || sizes[2] != rest {
		t.Errorf("%d messages were sent in batches of %v, want %d, %d and %d", waiting, sizes, maxBatch, maxBatch, rest)
	}
	eventually(t, "the batcher is idle", b.idle)
}

func TestSlowGroupDelaysNoOtherGroup(t *testing.T) {
	t.Parallel()
	f := newFake(t, "stock", false)
	release := make(chan struct{})
	f.reply = func(list []int) any {
		if list[0] < 1000 {
			<-release
		}
		return list
	}
	b := newDoubler(open(t, f.address))
	var callers sync.WaitGroup
	for n := range 10 {
		callers.Go(func() { b.Do(t.Context(), n) })
	}
	for range maxInFlight {
		f.next(t)
	}
	for n := range 20 {
		if got := b.Do(t.Context(), 1000+n); got != 1000+n {
			t.Errorf("a message of the other group: got %d, want the number itself", got)
		}
	}
	close(release)
	callers.Wait()
}

func TestMissingOrInvalidReplyIsTheZeroValue(t *testing.T) {
	t.Parallel()
	f := newFake(t, "stock", false)
	p := open(t, f.address)
	for name, reply := range map[string]func([]int) any{
		"too few replies":  func([]int) any { return []int{} },
		"too many replies": func(list []int) any { return append(list, 7) },
		"no list":          func([]int) any { return "x" },
		"null":             func([]int) any { return nil },
	} {
		f.mu.Lock()
		f.reply = reply
		f.mu.Unlock()
		if got := newDoubler(p).Do(t.Context(), 5); got != 0 {
			t.Errorf("response with %s: got %d, want 0", name, got)
		}
	}
	b := NewBatcher[int, int](p, "/fail", func(int) string { return "" }, isZero)
	if got := b.Do(t.Context(), 5); got != 0 {
		t.Errorf("error response: got %d, want 0", got)
	}
}

// If a request shows that a shard hangs, the messages that wait behind the request fail without being sent. DoTwice
// does not retry the messages of the request, because another instance would need the same time to detect the hang.
// A slow request with all replies shows no hang.
func TestMessagesDoNotWaitTwiceForAHungShard(t *testing.T) {
	t.Parallel()
	const before, first, second, waiting = 999, 1, 2, 3
	double := func(n int) int { return 2 * n }
	fail := func(int) int { return 0 }
	for _, c := range []struct {
		name  string
		delay time.Duration
		reply func(n int) int // 0 means that the shard has not replied
		want  int             // reply to the waiting message
		sent  bool            // the waiting message reaches the peer
	}{
		{"no reply", hungAfter, fail, 0, false},
		{"one reply of two", hungAfter, func(n int) int { return n % 2 }, 0, false},
		{"late replies", hungAfter, double, 2 * waiting, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, "stock", true)
			f.reply = func(list []int) any {
				for i, n := range list {
					if list[i] = c.reply(n); n == before {
						// Always reply: on a busy host, a delay without a reply would count as a hang.
						list[i] = double(n)
					}
				}
				return list
			}
			b := newDoubler(open(t, f.address))
			var callers sync.WaitGroup
			call := func(do func(context.Context, int) int, n, want int) {
				callers.Go(func() {
					if got := do(t.Context(), n); got != want {
						t.Errorf("message %d: got %d, want %d", n, got, want)
					}
				})
			}
			call(b.Do, before, double(before)) // occupies the group, so that the next two messages share a request
			f.next(t)
			call(b.DoTwice, first, c.reply(first))
			call(b.DoTwice, second, c.reply(second))
			eventually(t, "two messages wait", func() bool { return b.waiting("0") == 2 })
			f.release <- struct{}{}
			f.next(t)
			call(b.Do, waiting, c.want)
			eventually(t, "a message waits", func() bool { return b.waiting("0") == 1 })
			time.Sleep(c.delay)
			close(f.release)
			callers.Wait()
			if got := len(f.received) == 1; got != c.sent {
				t.Errorf("the waiting message was sent: %v, want %v", got, c.sent)
			}
		})
	}
}

// If the peer's response is lost, DoTwice sends the message again, because the instance may have died. It does so even
// if the request took longer than hungAfter: only a response can show that a shard hangs.
func TestDoTwiceAsksAnotherInstanceAfterALostReply(t *testing.T) {
	t.Parallel()
	f := newFake(t, "stock", true)
	lost := true
	f.reply = func(list []int) any {
		if lost {
			lost = false
			return "no list"
		}
		return list
	}
	b := newDoubler(open(t, f.address))
	go func() {
		f.next(t)
		time.Sleep(hungAfter)
		close(f.release)
	}()
	if got := b.DoTwice(t.Context(), 5); got != 5 {
		t.Errorf("got %d, want 5", got)
	}
}
