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

// abuse is one kind of abusive client.
type abuse struct {
	name        string
	connections int
	// run sends abusive traffic on a connection until ctx ends or a write fails.
	run func(ctx context.Context, conn countedConn) error
}

func abuses() []abuse {
	const head = "POST /orders/create/x HTTP/1.1\r\nHost: x\r\n"
	return []abuse{
		{"idle", 10_000, func(ctx context.Context, _ countedConn) error { <-ctx.Done(); return nil }},
		{"idle after a request", 1000, func(ctx context.Context, conn countedConn) error {
			if _, err := io.WriteString(conn, "GET /orders/ HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				return err
			}
			<-ctx.Done()
			return nil
		}},
		{"half closed", 1000, func(ctx context.Context, conn countedConn) error {
			if _, err := io.WriteString(conn, head); err != nil {
				return err
			}
			err := conn.CloseWrite()
			<-ctx.Done()
			return err
		}},
		{"slow headers", 3000, repeat(time.Second, head, "X-Slow: x\r\n")},
		{"slow bodies", 3000, repeat(time.Second, head+"Content-Length: 60000\r\n\r\n", "x")},
		{"slow chunks", 1000, repeat(time.Second, head+"Transfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n")},
		{"huge headers", 16, repeat(0, head, "X-Huge: "+strings.Repeat("x", 4000)+"\r\n")},
		{"one endless header", 16, repeat(0, head+"X-Endless: ", strings.Repeat("x", 4000))},
		{"endless bodies", 16, repeat(0, head+"Transfer-Encoding: chunked\r\n\r\n",
			"1000\r\n"+strings.Repeat("x", 0x1000)+"\r\n")},
	}
}

// repeat returns a function for abuse.run. This function sends one text at the beginning. Then it sends another text
// again and again, with a pause before each repetition.
func repeat(pause time.Duration, first, more string) func(context.Context, countedConn) error {
	return func(ctx context.Context, conn countedConn) error {
		_, err := io.WriteString(conn, first)
		for err == nil && ctx.Err() == nil && (pause == 0 || sleep(ctx, pause)) {
			_, err = io.WriteString(conn, more)
		}
		return err
	}
}

const (
	abuseCommand    = "abuse" // with this first argument, the program runs abusive clients
	concurrentDials = 64
	reconnectPause  = 50 * time.Millisecond
	// maxUnsent limits the kernel's send buffer. A larger buffer would only cost CPU time.
	maxUnsent = 64 << 10
	// abuseNice is the niceness of the abusive process. The process shares processors with the ordinary clients and must
	// not delay their requests.
	abuseNice = "10"
)

// start runs the abusive clients in another process, so that they do not delay the ordinary clients. start returns when
// all connections are open. The returned function ends the process and returns the number of bytes that the process has
// sent.
func (a abuse) start(ctx context.Context, addr string) (connections int64, stop func() (sent int64), err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, nil, err
	}
	cmd := exec.CommandContext(ctx, "nice", "-n", abuseNice, self, abuseCommand, a.name, addr)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe() // the process stops when its stdin closes
	if err != nil {
		return 0, nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return 0, nil, err
	}
	if err := cmd.Start(); err != nil {
		return 0, nil, err
	}
	lines := bufio.NewScanner(stdout)
	next := func() (n int64, err error) {
		lines.Scan()
		return strconv.ParseInt(lines.Text(), 10, 64)
	}
	stop = func() (sent int64) {
		stdin.Close()
		sent, _ = next()
		cmd.Wait()
		return sent
	}
	if connections, err = next(); err != nil {
		stop()
		return 0, nil, fmt.Errorf("start abuse %q: read the number of connections: %w", a.name, err)
	}
	return connections, stop, nil
}

// runAbuse is the main function of the abusive process. It prints the number of connections when all are open. When
// stdin is closed, it stops the clients and prints the number of bytes sent.
func runAbuse(name, addr string, stdin io.Reader, stdout io.Writer) error {
	kinds := abuses()
	i := slices.IndexFunc(kinds, func(a abuse) bool { return a.name == name })
	if i < 0 {
		return fmt.Errorf("run abuse: unknown kind %q", name)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	connections, stop, err := kinds[i].connect(ctx, addr)
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, connections)
	_, err = io.Copy(io.Discard, stdin)
	fmt.Fprintln(stdout, stop())
	return err
}

// countedConn is a connection that counts the bytes it sends.
type countedConn struct {
	*net.TCPConn
	sent *atomic.Int64
}

func (c countedConn) Write(b []byte) (int, error) {
	n, err := c.TCPConn.Write(b)
	c.sent.Add(int64(n))
	return n, err
}

// connect opens the connections and sends abusive traffic until the caller calls the returned function. If a write
// fails because the server has closed the connection, connect opens another one.
func (a abuse) connect(ctx context.Context, addr string) (connections int64, stop func() (sent int64), err error) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	var opened, sent atomic.Int64
	number := min(a.connections, maxConnections())
	dials, failed := make(chan struct{}, concurrentDials), make(chan error, number)
	for range number {
		running.Go(func() {
			for first := true; ctx.Err() == nil; first = false {
				dials <- struct{}{}
				conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
				<-dials
				if err != nil {
					failed <- err
					return
				}
				if first {
					opened.Add(1)
				}
				counted := countedConn{conn.(*net.TCPConn), &sent}
				counted.SetWriteBuffer(maxUnsent)
				unregister := context.AfterFunc(ctx, func() { conn.Close() })
				_ = a.run(ctx, counted) // the server is expected to close the connection
				unregister()
				conn.Close()
				sleep(ctx, reconnectPause)
			}
		})
	}
	stop = func() int64 {
		cancel()
		running.Wait()
		return sent.Load()
	}
	for opened.Load() < int64(number) {
		select {
		case err := <-failed:
			stop()
			return 0, nil, fmt.Errorf("%s: open connection %d: %w", a.name, opened.Load()+1, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return opened.Load(), stop, nil
}
