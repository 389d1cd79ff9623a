package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// nuisance is one kind of clients who do no good.
type nuisance struct {
	name   string
	number int
	// plague is what one of them does with its connection, until ctx ends or it is thrown out.
	plague func(ctx context.Context, conn counted) error
}

func nuisances() []nuisance {
	const head = "POST /orders/create/x HTTP/1.1\r\nHost: x\r\n"
	return []nuisance{
		{"idle", 10_000, func(ctx context.Context, _ counted) error { <-ctx.Done(); return nil }},
		{"idle after a request", 1000, func(ctx context.Context, conn counted) error {
			if _, err := io.WriteString(conn, "GET /orders/ HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				return err
			}
			<-ctx.Done()
			return nil
		}},
		{"half closed", 1000, func(ctx context.Context, conn counted) error {
			if _, err := io.WriteString(conn, head); err != nil {
				return err
			}
			err := conn.CloseWrite()
			<-ctx.Done()
			return err
		}},
		{"slow headers", 3000, drip(head, "X-Slow: x\r\n")},
		{"slow bodies", 3000, drip(head+"Content-Length: 60000\r\n\r\n", "x")},
		{"slow chunks", 1000, drip(head+"Transfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n")},
		{"huge headers, poured", 16, pour(head, "X-Huge: "+strings.Repeat("x", 4000)+"\r\n")},
		{"one endless header, poured", 16, pour(head+"X-Endless: ", strings.Repeat("x", 4000))},
		{"endless bodies, poured", 16, pour(head+"Transfer-Encoding: chunked\r\n\r\n", "1000\r\n"+strings.Repeat("x", 0x1000)+"\r\n")},
	}
}

// drip says something, and then a little more each second.
func drip(first, more string) func(context.Context, counted) error {
	return func(ctx context.Context, conn counted) error {
		_, err := io.WriteString(conn, first)
		for err == nil && sleep(ctx, time.Second) {
			_, err = io.WriteString(conn, more)
		}
		return err
	}
}

// pour says something, and then as much as is taken.
func pour(first, more string) func(context.Context, counted) error {
	return func(ctx context.Context, conn counted) error {
		_, err := io.WriteString(conn, first)
		for err == nil && ctx.Err() == nil {
			_, err = io.WriteString(conn, more)
		}
		return err
	}
}

const (
	nuisanceCommand = "nuisance" // the first argument of a process of this program that is one; its kind and the gateway follow
	nuisanceDials   = 64         // at the same time
	nuisancePause   = 50 * time.Millisecond
	nuisanceUnsent  = 64 << 10 // bytes that wait in its own kernel: more would be work for its processor only, and none for the gateway's
	// nuisanceNice is by how much such a process stands back. It shares a processor with those who buy something, and is not to keep
	// them from asking: that would be measured as if the system had answered late.
	nuisanceNice = "10"
)

// send starts a process of this program that is the nuisance, and returns when all its connections are there; over ends it and returns
// how many bytes it has said. In one process with those who buy something it kept them from their processor: Go lets each of
// sixteen who pour have it for 10 ms.
func (n nuisance) send(ctx context.Context, addr string) (held int64, over func() (said int64), err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, nil, err
	}
	cmd := exec.CommandContext(ctx, "nice", "-n", nuisanceNice, self, nuisanceCommand, n.name, addr)
	cmd.Stderr = os.Stderr
	stay, err := cmd.StdinPipe() // it leaves when this ends, as it does with this process
	if err != nil {
		return 0, nil, err
	}
	says, err := cmd.StdoutPipe()
	if err != nil {
		return 0, nil, err
	}
	if err := cmd.Start(); err != nil {
		return 0, nil, err
	}
	heard := bufio.NewScanner(says)
	next := func() (n int64, err error) {
		heard.Scan()
		return strconv.ParseInt(heard.Text(), 10, 64)
	}
	over = func() (said int64) {
		stay.Close()
		said, _ = next()
		cmd.Wait()
		return said
	}
	if held, err = next(); err != nil {
		over()
		return 0, nil, fmt.Errorf("%s: %w", n.name, err)
	}
	return held, over, nil
}

// beNuisance is the process: it says how many connections it has, when all are there, keeps them until stay ends, and then says how many
// bytes it has sent.
func beNuisance(kind, addr string, stay io.Reader, say io.Writer) error {
	kinds := nuisances()
	i := slices.IndexFunc(kinds, func(n nuisance) bool { return n.name == kind })
	if i < 0 {
		return fmt.Errorf("no nuisance is called %q", kind)
	}
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	held, over, err := kinds[i].come(ctx, addr)
	if err != nil {
		return err
	}
	fmt.Fprintln(say, held)
	_, err = io.Copy(io.Discard, stay)
	fmt.Fprintln(say, over())
	return err
}

// counted is a connection whose bytes are counted, together with others'.
type counted struct {
	*net.TCPConn
	said *atomic.Int64
}

func (c counted) Write(b []byte) (int, error) {
	n, err := c.TCPConn.Write(b)
	c.said.Add(int64(n))
	return n, err
}

// come opens the connections, and keeps them until over is called; one that is thrown out comes again.
func (n nuisance) come(ctx context.Context, addr string) (held int64, over func() (said int64), err error) {
	ctx, leave := context.WithCancel(ctx)
	var plaguing sync.WaitGroup
	var here, said atomic.Int64
	number := min(n.number, roomForConnections())
	dials, failed := make(chan struct{}, nuisanceDials), make(chan error, number)
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
				link := counted{conn.(*net.TCPConn), &said}
				link.SetWriteBuffer(nuisanceUnsent)
				stop := context.AfterFunc(ctx, func() { conn.Close() })
				_ = n.plague(ctx, link) // to be thrown out is what is to be expected
				stop()
				conn.Close()
				sleep(ctx, nuisancePause)
			}
		})
	}
	over = func() int64 {
		leave()
		plaguing.Wait()
		return said.Load()
	}
	for here.Load() < int64(number) {
		select {
		case err := <-failed:
			over()
			return 0, nil, fmt.Errorf("%s: connection %d: %w", n.name, here.Load()+1, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return here.Load(), over, nil
}
