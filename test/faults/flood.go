package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"checkout/test/stack"
)

// flood is the scenario of clients who keep connections busy and want nothing.
var flood = scenario{
	name: "flood", about: "idle, slow and half-open connections by thousands, huge headers and endless bodies: whoever buys something does not notice",
	run: runFlood, sizes: []stack.Size{{Machines: 1, Shards: 1}},
}

const (
	floodLasts   = 2 * time.Second
	floodCallers = 8
	floodDials   = 64 // at the same time
)

// nuisance is one kind of clients who do no good.
type nuisance struct {
	name   string
	number int
	// plague is what one of them does with its connection, until ctx ends or it is thrown out.
	plague func(ctx context.Context, conn net.Conn) error
}

func nuisances() []nuisance {
	const head = "POST /orders/create/x HTTP/1.1\r\nHost: x\r\n"
	return []nuisance{
		{"idle", 10_000, func(ctx context.Context, _ net.Conn) error { <-ctx.Done(); return nil }},
		{"idle after a request", 1000, func(ctx context.Context, conn net.Conn) error {
			if _, err := io.WriteString(conn, "GET /orders/ HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				return err
			}
			<-ctx.Done()
			return nil
		}},
		{"half closed", 1000, func(ctx context.Context, conn net.Conn) error {
			if _, err := io.WriteString(conn, head); err != nil {
				return err
			}
			err := conn.(*net.TCPConn).CloseWrite()
			<-ctx.Done()
			return err
		}},
		{"slow headers", 3000, drip(head, "X-Slow: x\r\n")},
		{"slow bodies", 3000, drip(head+"Content-Length: 60000\r\n\r\n", "x")},
		{"slow chunks", 1000, drip(head+"Transfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n")},
		{"huge headers", 16, pour(head, "X-Huge: "+strings.Repeat("x", 4000)+"\r\n")},
		{"one endless header", 16, pour(head+"X-Endless: ", strings.Repeat("x", 4000))},
		{"endless bodies", 16, pour(head+"Transfer-Encoding: chunked\r\n\r\n", "1000\r\n"+strings.Repeat("x", 0x1000)+"\r\n")},
	}
}

// drip says something, and then a little more each second.
func drip(first, more string) func(context.Context, net.Conn) error {
	return func(ctx context.Context, conn net.Conn) error {
		_, err := io.WriteString(conn, first)
		for err == nil && sleep(ctx, time.Second) {
			_, err = io.WriteString(conn, more)
		}
		return err
	}
}

// pour says something, and then as much as is taken.
func pour(first, more string) func(context.Context, net.Conn) error {
	return func(ctx context.Context, conn net.Conn) error {
		_, err := io.WriteString(conn, first)
		for err == nil && ctx.Err() == nil {
			_, err = io.WriteString(conn, more)
		}
		return err
	}
}

func runFlood(ctx context.Context, tr *trial) (err error) {
	s, err := tr.start(ctx, stack.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	addr := strings.TrimPrefix(s.Stack.Gateway(), "http://")
	for _, path := range []string{"/payment/batch_init/100/1000000000", "/stock/batch_init/100/1000000000/1", "/orders/batch_init/20000/100/100/1"} {
		if a := s.Call("POST", path); !a.OK() {
			return fmt.Errorf("%s: %v", path, a)
		}
	}
	ordinary := newCrowd(addr, 2*floodCallers)
	defer ordinary.leave()
	var order atomic.Int64
	checkout := func() errand {
		return errand{fmt.Appendf(nil, "POST /orders/checkout/%d HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", order.Add(1)%20000), func(h heard) {
			tr.told(fmt.Sprint(h.status))
		}}
	}
	how, unite, err := s.split()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unite()) }()
	watched, stop := s.watchMemory()
	ordinary.closed(ctx, floodCallers, warmUp, checkout)
	lines := row("beside", "connections", "p50", "p99", "p99 without", "ratio", "answers") + row("---", "---:", "---:", "---:", "---:", "---:", "---")
	for _, n := range nuisances() {
		if ctx.Err() != nil {
			break
		}
		if !strings.Contains(n.name, tr.options.only) {
			continue
		}
		before := ordinary.closed(ctx, floodCallers, floodLasts/2, checkout)
		held, over, err := n.come(ctx, addr)
		if err != nil {
			return err
		}
		done := tr.inject("flood", n.name)
		t := ordinary.closed(ctx, floodCallers, floodLasts, checkout)
		done()
		over()
		for _, h := range t.heard {
			if h.status != http.StatusOK {
				tr.violate("beside %d connections, %s, a checkout was answered %d, %v", held, n.name, h.status, h.err)
			}
		}
		alone, beside := before.percentile(200, 99), t.percentile(200, 99)
		lines += row(n.name, fmt.Sprint(held), ms(t.percentile(200, 50)), ms(beside), ms(alone), fmt.Sprintf("%.1f", float64(beside)/float64(alone)), listed(t.answers()))
	}
	stop()
	tr.note("%s. %d callers check out beside them.\n\n%s\nMost memory of each part, MiB: %s.", how, floodCallers, lines, listed(watched.most()))
	s.settle(ctx)
	return nil
}

// come opens the connections, and keeps them until over is called; one that is thrown out comes again.
func (n nuisance) come(ctx context.Context, addr string) (held int, over func(), err error) {
	ctx, leave := context.WithCancel(ctx)
	var plaguing sync.WaitGroup
	var here atomic.Int64
	number := min(n.number, roomForConnections())
	dials, failed := make(chan struct{}, floodDials), make(chan error, number)
	for range number {
		plaguing.Go(func() {
			for first := true; ctx.Err() == nil; first = false {
				dials <- struct{}{}
				conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
				<-dials
				if err != nil {
					failed <- err
					return
				}
				if first {
					here.Add(1)
				}
				stop := context.AfterFunc(ctx, func() { conn.Close() })
				_ = n.plague(ctx, conn) // to be thrown out is what is to be expected
				stop()
				conn.Close()
				sleep(ctx, 50*time.Millisecond)
			}
		})
	}
	over = func() { leave(); plaguing.Wait() }
	for here.Load() < int64(number) {
		select {
		case err := <-failed:
			over()
			return 0, nil, fmt.Errorf("%s: connection %d: %w", n.name, here.Load()+1, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return int(here.Load()), over, nil
}
