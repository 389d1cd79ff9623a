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

// job is a request to send and a function that receives the result.
type job struct {
	request []byte
	done    func(result)
}

// result is the result of a request. Its status is 0 if there was no response.
type result struct {
	status     int
	retryAfter bool
	began      time.Time
	took       time.Duration
	err        error
}

// pool is a set of clients with one connection each. It generates load in a closed loop or in an open loop. In a closed
// loop, each client waits for its response before the next request. In an open loop, the pool sends at a fixed rate.
type pool struct {
	addr  string
	limit int // maximum number of connections

	mu   sync.Mutex
	idle []chan job
	all  []chan job
	exit sync.WaitGroup
}

func newPool(addr string, limit int) *pool { return &pool{addr: addr, limit: limit} }

// send gives a job to an idle client or to a new client. It returns false if all connections are busy.
func (p *pool) send(j job) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	var client chan job
	if last := len(p.idle) - 1; last >= 0 {
		client, p.idle = p.idle[last], p.idle[:last]
	} else if len(p.all) < p.limit {
		client = make(chan job, 1)
		p.all = append(p.all, client)
		p.exit.Go(func() { p.runClient(client) })
	} else {
		return false
	}
	client <- j
	return true
}

func (p *pool) runClient(jobs chan job) {
	var conn net.Conn
	var in *bufio.Reader
	for j := range jobs {
		r := result{began: time.Now()}
		if conn == nil {
			if conn, r.err = net.DialTimeout("tcp", p.addr, check.ResponseTimeout); r.err == nil {
				in = bufio.NewReaderSize(conn, 2<<10)
			}
		}
		if r.err == nil {
			r.err = r.exchange(conn, in, j.request)
		}
		r.took = time.Since(r.began)
		if r.err != nil && conn != nil {
			conn.Close()
			conn = nil
		}
		p.mu.Lock()
		p.idle = append(p.idle, jobs)
		p.mu.Unlock()
		j.done(r) // only after the client is idle, because this callback may send the next job
	}
	if conn != nil {
		conn.Close()
	}
}

func (r *result) exchange(conn net.Conn, in *bufio.Reader, request []byte) error {
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
		return fmt.Errorf("read a response: bad status line %q", line)
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil {
		return fmt.Errorf("read a response: bad status line %q", line)
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
			r.retryAfter = true
		case bytes.EqualFold(name, []byte("Connection")):
			closes = bytes.EqualFold(value, []byte("close"))
		}
	}
	if _, err := in.Discard(length); err != nil {
		return err
	}
	r.status = status
	if closes {
		return io.EOF // so that runClient closes the connection
	}
	return nil
}

// open generates load in an open loop: it sends jobs at a fixed rate for a duration. open returns after the last
// response.
func (p *pool) open(ctx context.Context, rate float64, lasts time.Duration, next func() job) *results {
	rs := newResults()
	began := time.Now()
	for sent := 0; ctx.Err() == nil; {
		passed := time.Since(began)
		if passed >= lasts {
			break
		}
		for ; sent < int(rate*passed.Seconds()); sent++ {
			if j := rs.collect(next()); !p.send(j) {
				j.done(result{began: time.Now(), err: errNoConnection})
			}
		}
		time.Sleep(time.Millisecond)
	}
	rs.wait()
	return rs
}

// closed generates load in a closed loop: each client sends one job after another for a duration. closed returns after
// the last response.
func (p *pool) closed(ctx context.Context, clients int, lasts time.Duration, next func() job) *results {
	rs := newResults()
	until := time.Now().Add(lasts)
	var send func()
	send = func() {
		if ctx.Err() != nil || time.Now().After(until) {
			return
		}
		j := next()
		done := j.done
		j.done = func(r result) { done(r); send() }
		if !p.send(rs.collect(j)) { // impossible, because the pool's limit is above the number of clients
			rs.pending.Done()
		}
	}
	for range clients {
		send()
	}
	for ctx.Err() == nil && time.Now().Before(until) {
		time.Sleep(10 * time.Millisecond)
	}
	rs.wait()
	return rs
}

var errNoConnection = errors.New("send a request: all connections of the pool are busy")

// close stops all clients.
func (p *pool) close() {
	p.mu.Lock()
	for _, client := range p.all {
		close(client)
	}
	p.mu.Unlock()
	p.exit.Wait()
}

// results collects the results of many jobs.
type results struct {
	pending sync.WaitGroup
	began   time.Time
	mu      sync.Mutex
	all     []result
	lasts   time.Duration // time during which jobs were sent
}

func newResults() *results { return &results{began: time.Now()} }

func (rs *results) collect(j job) job {
	rs.pending.Add(1)
	done := j.done
	j.done = func(r result) {
		done(r)
		rs.mu.Lock()
		rs.all = append(rs.all, r)
		rs.mu.Unlock()
		rs.pending.Done()
	}
	return j
}

func (rs *results) wait() {
	rs.lasts = time.Since(rs.began)
	rs.pending.Wait()
}

// between counts the responses that arrived in a time interval and have the given status.
func (rs *results) between(from, to time.Time, status int) int {
	n := 0
	for _, r := range rs.all {
		if at := r.began.Add(r.took); r.status == status && !at.Before(from) && at.Before(to) {
			n++
		}
	}
	return n
}

// percentile returns the p-th percentile of the latency of the responses with the given status, or 0 if there are none.
func (rs *results) percentile(status, p int) time.Duration {
	var took []time.Duration
	for _, r := range rs.all {
		if r.status == status {
			took = append(took, r.took)
		}
	}
	return percentile(took, p)
}

// percentile returns the p-th percentile of durations, or 0 if there are none.
func percentile(all []time.Duration, p int) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[min(len(all)-1, len(all)*p/100)]
}

// outcomes counts the results by status.
func (rs *results) outcomes() map[string]int {
	counts := map[string]int{}
	for _, r := range rs.all {
		switch {
		case errors.Is(r.err, errNoConnection):
			counts["not sent"]++
		case r.status == 0:
			counts["no response"]++
		default:
			counts[strconv.Itoa(r.status)]++
		}
	}
	return counts
}
