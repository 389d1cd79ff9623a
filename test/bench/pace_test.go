package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// A server that stalls once, for half a second, is answered for by all requests that were due meanwhile, not only by those few that
// its clients had under way.
func TestOpenLoopCountsWhatHadToWait(t *testing.T) {
	t.Parallel()
	const stall, every, total, clients = 500 * time.Millisecond, 2 * time.Millisecond, 500, 4
	begun := make(chan time.Time, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case begun <- time.Now().Add(stall):
		default:
		}
		until := <-begun
		begun <- until
		time.Sleep(time.Until(until))
		w.Write([]byte("{}"))
	}))
	t.Cleanup(server.Close)
	d, err := newDriver(t.Context(), server.Listener.Addr().(*net.TCPAddr).String(), clients)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.close() })
	d.pace = &pace{every: every, total: total}
	c := &calls{host: d.addr, n: total, path: func(int) (string, string) { return "GET", "/" }}
	counting := &tallied{calls: c, tally: newTally(total)}
	start := time.Now()
	if err := d.run(t.Context(), counting); err != nil || c.err != nil {
		t.Fatal(err, c.err)
	}
	if took := time.Since(start); took < (total-1)*every {
		t.Errorf("%d requests, one every %v, took %v", total, every, took)
	}
	waited := 0
	for _, took := range counting.took {
		if took > stall/10 {
			waited++
		}
	}
	if due := int(stall / every); waited < due*8/10 || len(counting.took) != total {
		t.Errorf("%d of %d answers tell of the stall, and %d were due while it lasted", waited, len(counting.took), due)
	}
}

// tallied is calls whose answers are counted.
type tallied struct {
	*calls
	*tally
}

func (w *tallied) done(i int, a answer) {
	w.calls.done(i, a)
	w.add(a)
}
