package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"checkout/test/check"
)

// errand is a request that a caller is sent with.
type errand struct {
	request []byte
	done    func(heard)
}

// heard is what became of it. Status 0: no answer came.
type heard struct {
	status     int
	retryAfter bool
	began      time.Time
	took       time.Duration
	err        error
}

// crowd is callers with a connection each, who send requests when they are told to: also, in an open loop, however many have not
// been answered yet.
type crowd struct {
	addr string
	most int // connections

	mu     sync.Mutex
	idle   []chan errand
	all    []chan errand
	absent int // errands for which no caller was left
	gone   sync.WaitGroup
}

func newCrowd(addr string, most int) *crowd { return &crowd{addr: addr, most: most} }

// send sends a caller on an errand, at once; false, if all of them are under way.
func (c *crowd) send(e errand) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	var caller chan errand
	if last := len(c.idle) - 1; last >= 0 {
		caller, c.idle = c.idle[last], c.idle[:last]
	} else if len(c.all) < c.most {
		caller = make(chan errand, 1)
		c.all = append(c.all, caller)
		c.gone.Go(func() { c.call(caller) })
	} else {
		c.absent++
		return false
	}
	caller <- e
	return true
}

// call is the life of a caller.
func (c *crowd) call(errands chan errand) {
	var conn net.Conn
	var in *bufio.Reader
	for e := range errands {
		h := heard{began: time.Now()}
		if conn == nil {
			if conn, h.err = net.DialTimeout("tcp", c.addr, check.ResponseTimeout); h.err == nil {
				in = bufio.NewReaderSize(conn, 2<<10)
			}
		}
		if h.err == nil {
			h.err = h.exchange(conn, in, e.request)
		}
		h.took = time.Since(h.began)
		if h.err != nil && conn != nil {
			conn.Close()
			conn = nil
		}
		c.mu.Lock()
		c.idle = append(c.idle, errands)
		c.mu.Unlock()
		e.done(h) // last: it may send a caller on the next errand
	}
	if conn != nil {
		conn.Close()
	}
}

func (h *heard) exchange(conn net.Conn, in *bufio.Reader, request []byte) error {
	if err := conn.SetDeadline(time.Now().Add(check.ResponseTimeout)); err != nil {
		return err
	}
	if _, err := conn.Write(request); err != nil {
		return err
	}
	line, err := in.ReadSlice('\n')
	if err != nil {
		return err
	}
	if len(line) < 12 {
		return fmt.Errorf("status line %q", line)
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil {
		return fmt.Errorf("status line %q", line)
	}
	length, closes := 0, false
	for {
		if line, err = in.ReadSlice('\n'); err != nil {
			return err
		}
		name, value, ok := bytes.Cut(bytes.TrimSpace(line), []byte(": "))
		if !ok {
			break
		}
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return err
			}
		case bytes.EqualFold(name, []byte("Retry-After")):
			h.retryAfter = true
		case bytes.EqualFold(name, []byte("Connection")):
			closes = bytes.EqualFold(value, []byte("close"))
		}
	}
	if _, err := in.Discard(length); err != nil {
		return err
	}
	h.status = status
	if closes {
		return io.EOF
	}
	return nil
}

// open sends errands at a rate, whatever becomes of them, for a time. It returns when all have come back.
func (c *crowd) open(ctx context.Context, rate float64, lasts time.Duration, next func() errand) *tally {
	t := newTally()
	began := time.Now()
	for sent := 0; ctx.Err() == nil; {
		passed := time.Since(began)
		if passed >= lasts {
			break
		}
		for ; sent < int(rate*passed.Seconds()); sent++ {
			if e := t.watch(next()); !c.send(e) {
				e.done(heard{began: time.Now(), err: errNobodyLeft})
			}
		}
		time.Sleep(time.Millisecond)
	}
	t.over()
	return t
}

// closed has some callers send one errand after the other, for a time.
func (c *crowd) closed(ctx context.Context, callers int, lasts time.Duration, next func() errand) *tally {
	t := newTally()
	until := time.Now().Add(lasts)
	var again func()
	again = func() {
		if ctx.Err() != nil || time.Now().After(until) {
			return
		}
		e := next()
		done := e.done
		e.done = func(h heard) { done(h); again() }
		if !c.send(t.watch(e)) { // it has room for more callers than these
			t.under.Done()
		}
	}
	for range callers {
		again()
	}
	for ctx.Err() == nil && time.Now().Before(until) {
		time.Sleep(10 * time.Millisecond)
	}
	t.over()
	return t
}

var errNobodyLeft = errors.New("more requests were under way than this program has connections for")

// leave sends all callers home.
func (c *crowd) leave() {
	c.mu.Lock()
	for _, caller := range c.all {
		close(caller)
	}
	c.mu.Unlock()
	c.gone.Wait()
}

// tally is what many callers have heard.
type tally struct {
	under sync.WaitGroup
	began time.Time
	mu    sync.Mutex
	heard []heard
	lasts time.Duration
}

func newTally() *tally { return &tally{began: time.Now()} }

func (t *tally) watch(e errand) errand {
	t.under.Add(1)
	done := e.done
	e.done = func(h heard) {
		done(h)
		t.mu.Lock()
		t.heard = append(t.heard, h)
		t.mu.Unlock()
		t.under.Done()
	}
	return e
}

// over waits for those who are still under way.
func (t *tally) over() {
	t.lasts = time.Since(t.began)
	t.under.Wait()
}

// with is how many heard a status.
func (t *tally) with(status int) int {
	n := 0
	for _, h := range t.heard {
		if h.status == status {
			n++
		}
	}
	return n
}

// between is how many heard a status in that time.
func (t *tally) between(from, to time.Time, status int) int {
	n := 0
	for _, h := range t.heard {
		if at := h.began.Add(h.took); h.status == status && !at.Before(from) && at.Before(to) {
			n++
		}
	}
	return n
}

// percentile of the time to an answer with a status.
func (t *tally) percentile(status int, p float64) time.Duration {
	var took []time.Duration
	for _, h := range t.heard {
		if h.status == status {
			took = append(took, h.took)
		}
	}
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[min(len(took)-1, int(p/100*float64(len(took))))]
}

// answers counts statuses; what got none is "no answer".
func (t *tally) answers() map[string]int {
	counts := map[string]int{}
	for _, h := range t.heard {
		switch {
		case errors.Is(h.err, errNobodyLeft):
			counts["not sent"]++
		case h.status == 0:
			counts["no answer"]++
		default:
			counts[strconv.Itoa(h.status)]++
		}
	}
	return counts
}
