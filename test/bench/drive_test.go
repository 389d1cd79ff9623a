package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// serve accepts connections. It passes each connection to the callback, with its number (1, 2, …). It returns the
// host:port of the listener.
func serve(t *testing.T, respond func(c net.Conn, number int)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for number := 1; ; number++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				respond(c, number)
			}()
		}
	}()
	return l.Addr().String()
}

// requests reads requests from a connection and passes each path to the callback, until the callback returns false.
func requests(c net.Conn, handle func(path string) bool) {
	in := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(in)
		if err != nil || !handle(r.URL.Path) {
			return
		}
	}
}

// numbered is work that requests the paths /0, /1, … and stores the results.
type numbered struct {
	n, sent int
	results []string // status and body, or the error
}

func (w *numbered) next(buf []byte) ([]byte, int, bool) {
	if w.sent == w.n {
		return buf, 0, false
	}
	w.sent++
	return appendRequest(buf, "POST", "test", fmt.Sprint("/", w.sent-1)), w.sent - 1, true
}

func (w *numbered) done(tag int, r result) {
	for len(w.results) <= tag {
		w.results = append(w.results, "")
	}
	if w.results[tag] = fmt.Sprintf("%d %s", r.status, r.body); r.err != nil {
		w.results[tag] = r.err.Error()
	}
}

func drive(t *testing.T, addr string, clients int) *driver {
	t.Helper()
	d, err := newDriver(t.Context(), addr, clients)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestDriverKeepsConnectionsAlive(t *testing.T) {
	var connections atomic.Int64
	addr := serve(t, func(c net.Conn, _ int) {
		connections.Add(1)
		requests(c, func(path string) bool {
			_, err := fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(path), path)
			return err == nil
		})
	})
	d := drive(t, addr, 10)
	for range 2 {
		w := &numbered{n: 1000}
		if err := d.run(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		for i, got := range w.results {
			if want := fmt.Sprintf("200 /%d", i); got != want {
				t.Fatalf("request %d: got %q, want %q", i, got, want)
			}
		}
		if len(w.results) != w.n {
			t.Errorf("got %d results, want %d", len(w.results), w.n)
		}
	}
	if got := connections.Load(); got != 10 {
		t.Errorf("got %d connections, want 10", got)
	}
}

func TestDriverReadsPartialResponses(t *testing.T) {
	body := strings.Repeat("long", bufferSize)
	addr := serve(t, func(c net.Conn, _ int) {
		requests(c, func(string) bool {
			head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(body))
			for _, piece := range []string{head[:20], head[20:] + body[:10], body[10:]} {
				if _, err := c.Write([]byte(piece)); err != nil {
					return false
				}
				time.Sleep(time.Millisecond) // so that each piece is a separate packet
			}
			return true
		})
	})
	w := &numbered{n: 3}
	if err := drive(t, addr, 1).run(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	for i, got := range w.results {
		if got != "200 "+body {
			t.Errorf("response %d: wrong status or body: got %d bytes, want %d", i, len(got), len(body)+4)
		}
	}
}

func TestDriverReplacesBrokenConnections(t *testing.T) {
	const okHead = ok + "Content-Length: 2\r\n"
	for name, test := range map[string]struct {
		second string // second response on the first connection, which is then closed
		want   string
	}{
		"closed":                   {"", "connection closed"},
		"closed in the body":       {okHead + "\r\n", "connection closed"},
		"announced by a header":    {okHead + "Connection: close\r\n\r\nok", "200 ok"},
		"not HTTP":                 {"+OK\r\n\r\n", "malformed status line"},
		"bytes after the response": {okHead + "\r\nokHTTP/1.1", "unexpected bytes after the response"},
	} {
		t.Run(name, func(t *testing.T) {
			addr := serve(t, func(c net.Conn, number int) {
				requests(c, func(path string) bool {
					if number == 1 && path == "/1" {
						fmt.Fprint(c, test.second)
						return false
					}
					_, err := fmt.Fprint(c, okHead+"\r\nok")
					return err == nil
				})
			})
			w := &numbered{n: 3}
			if err := drive(t, addr, 1).run(t.Context(), w); err != nil {
				t.Fatal(err)
			}
			got := w.results
			if len(got) != 3 || got[0] != "200 ok" || got[2] != "200 ok" || !strings.Contains(got[1], test.want) {
				t.Errorf("got the responses %q, want %q in the second, 200 ok in the others", got, test.want)
			}
		})
	}
}

func TestDriverReplacesIdleConnections(t *testing.T) {
	hangUp, hungUp := make(chan struct{}), make(chan struct{})
	addr := serve(t, func(c net.Conn, number int) {
		if number == 1 {
			go func() { <-hangUp; c.Close(); close(hungUp) }()
		}
		requests(c, func(string) bool {
			_, err := fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			return err == nil
		})
	})
	d := drive(t, addr, 1)
	for round := range 2 {
		w := &numbered{n: 1}
		if err := d.run(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		if w.results[0] != "200 ok" {
			t.Errorf("round %d: got the responses %q, want 200 ok as the first one", round, w.results)
		}
		if round == 0 {
			close(hangUp)
			<-hungUp
		}
	}
}

func TestDriverTimesOut(t *testing.T) {
	silent := serve(t, func(c net.Conn, _ int) { requests(c, func(string) bool { return true }) })

	t.Run("slow response", func(t *testing.T) {
		d := drive(t, silent, 2)
		d.timeout = 50 * time.Millisecond
		w := &numbered{n: 3}
		if err := d.run(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		for i, got := range w.results {
			if want := "no response within 50ms"; got != want {
				t.Errorf("request %d: got %q, want %q", i, got, want)
			}
		}
	})
	t.Run("cancelled context", func(t *testing.T) {
		stop := errors.New("stop")
		ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, stop)
		defer cancel()
		if err := drive(t, silent, 2).run(ctx, &numbered{n: 3}); !errors.Is(err, stop) {
			t.Errorf("got the error %v, want %v", err, stop)
		}
	})
	t.Run("stopped server", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		d := drive(t, l.Addr().String(), 1)
		l.Close() // resets the connection, which is not yet accepted
		if err := d.run(t.Context(), &numbered{n: 1}); err == nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("got %v, want a refused connection", err)
		}
	})
}

// TestOpenLoopCountsTheWaitOfDueRequests checks an open loop while the server stalls. The latency of each request
// that is due during the stall must include the wait for the end of the stall. In a closed loop, only requests in
// flight include this wait.
func TestOpenLoopCountsTheWaitOfDueRequests(t *testing.T) {
	t.Parallel()
	const stall, interval, total, clients = 500 * time.Millisecond, 2 * time.Millisecond, 500, 4
	stallEnd := sync.OnceValue(func() time.Time { return time.Now().Add(stall) })
	addr := serve(t, func(c net.Conn, _ int) {
		requests(c, func(string) bool {
			time.Sleep(time.Until(stallEnd()))
			_, err := fmt.Fprint(c, ok+"Content-Length: 0\r\n\r\n")
			return err == nil
		})
	})
	d := drive(t, addr, clients)
	d.pace = &pace{interval: interval, total: total}
	w := &timed{kind: empty, host: addr, duration: time.Hour, tally: newTally()}
	start := time.Now()
	if err := d.run(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < (total-1)*interval {
		t.Errorf("%d requests, one every %v, took only %v, want longer", total, interval, took)
	}
	waited := 0
	for _, took := range w.latencies {
		if took > stall/10 {
			waited++
		}
	}
	if due := int(stall / interval); waited < due*8/10 || len(w.latencies) != total {
		t.Errorf("%d of %d latencies include the stall, want at least %d of %d",
			waited, len(w.latencies), due*8/10, total)
	}
}
