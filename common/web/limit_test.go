package web

import (
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
)

func TestLimitFollowsCompletionRate(t *testing.T) {
	var l limiter
	now := time.Duration(0)
	expectLimit := func(want int) {
		t.Helper()
		admitted := 0
		for l.acquire() {
			admitted++
		}
		if admitted != want {
			t.Errorf("admitted %d requests, want %d", admitted, want)
		}
		l.inFlight.Store(0)
	}
	complete := func(requests int, interval time.Duration) {
		for range requests {
			l.acquire()
			now += interval
			l.release(now)
		}
	}
	expectLimit(minLimit) // before the first window ends
	complete(3000, time.Millisecond)
	expectLimit(minLimit) // for 1,000 requests per second
	complete(12000, 250*time.Microsecond)
	expectLimit(4000)
	complete(300000, 10*time.Microsecond)
	expectLimit(maxLimit)
	now += time.Minute // no requests for a minute
	complete(3000, time.Millisecond)
	expectLimit(minLimit)
	if n := l.inFlight.Load(); n != 0 {
		t.Errorf("%d requests are in flight, want none", n)
	}
}

func TestRequestsOverTheLimitAreShed(t *testing.T) {
	s := NewServer(false)
	entered, release := make(chan struct{}, minLimit), make(chan struct{})
	s.Public.POST("/", JSON(func(*gin.Context) (string, error) {
		entered <- struct{}{}
		<-release
		return "", nil
	}))
	var requests sync.WaitGroup
	for range minLimit {
		requests.Go(func() {
			if w := send(s.Public, "POST", "/", ""); w.Code != 200 {
				t.Errorf("an admitted request got %d, want 200", w.Code)
			}
		})
	}
	for range minLimit {
		<-entered
	}
	for range 3 {
		w := send(s.Public, "POST", "/", "")
		if p := problem(t, w); w.Code != 429 || p.Type != api.Overloaded.Type() || w.Header().Get("Retry-After") != "1" ||
			w.Header().Get("RateLimit") != `"concurrency";r=0;t=1` {
			t.Errorf("over the limit: got %d %v %+v, want 429 with Retry-After and RateLimit", w.Code, w.Header(), p)
		}
	}
	close(release)
	requests.Wait()
	if w := send(s.Public, "POST", "/", ""); w.Code != 200 {
		t.Errorf("below the limit: got %d, want 200", w.Code)
	}
}
