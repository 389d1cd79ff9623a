package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// serve answers each connection by a function, which is told its number, from 1, and returns its host:port.
func serve(t *testing.T, answer func(c net.Conn, number int)) string {
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
				answer(c, number)
			}()
		}
	}()
	return l.Addr().String()
}

// requests reads requests, and says the path of each until it returns false.
func requests(c net.Conn, path func(string) bool) {
	in := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(in)
		if err != nil || !path(r.URL.Path) {
			return
		}
	}
}

// numbered is work that asks for /0, /1 … and keeps what was answered.
type numbered struct {
	n, sent int
	answers []string // status and body, or the error
}

func (w *numbered) next(buf []byte) ([]byte, int, bool) {
	if w.sent == w.n {
		return buf, 0, false
	}
	w.sent++
	return appendRequest(buf, "POST", "test", "/", fmt.Sprint(w.sent-1)), w.sent - 1, true
}

func (w *numbered) done(tag int, a answer) {
	for len(w.answers) <= tag {
		w.answers = append(w.answers, "")
	}
	if w.answers[tag] = fmt.Sprintf("%d %s", a.status, a.body); a.err != nil {
		w.answers[tag] = a.err.Error()
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

func TestDriveKeepsConnections(t *testing.T) {
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
		for i, got := range w.answers {
			if want := fmt.Sprintf("200 /%d", i); got != want {
				t.Fatalf("request %d: got %q, want %q", i, got, want)
			}
		}
		if len(w.answers) != w.n {
			t.Errorf("got %d answers, want %d", len(w.answers), w.n)
		}
	}
	if got := connections.Load(); got != 10 {
		t.Errorf("got %d connections, want 10", got)
	}
}

func TestDriveReadsAnswersInPieces(t *testing.T) {
	body := strings.Repeat("long", bufferSize)
	addr := serve(t, func(c net.Conn, _ int) {
		requests(c, func(string) bool {
			head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(body))
			for _, piece := range []string{head[:20], head[20:] + body[:10], body[10:]} {
				if _, err := c.Write([]byte(piece)); err != nil {
					return false
				}
				time.Sleep(time.Millisecond) // so that it travels by itself
			}
			return true
		})
	})
	w := &numbered{n: 3}
	if err := drive(t, addr, 1).run(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	for i, got := range w.answers {
		if got != "200 "+body {
			t.Errorf("answer %d: %d bytes, want %d", i, len(got), len(body)+4)
		}
	}
}

func TestDriveReplacesConnections(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
	for name, test := range map[string]struct {
		second string // what the first connection says to its second request, before it closes
		want   string
	}{
		"closed":              {"", "the connection was closed"},
		"closed in between":   {ok + "\r\n", "the connection was closed"},
		"announced":           {ok + "Connection: close\r\n\r\nok", "200 ok"},
		"not HTTP":            {"+OK\r\n\r\n", "not a status line"},
		"more than an answer": {ok + "\r\nokHTTP/1.1", "more than an answer"},
	} {
		t.Run(name, func(t *testing.T) {
			addr := serve(t, func(c net.Conn, number int) {
				requests(c, func(path string) bool {
					if number == 1 && path == "/1" {
						fmt.Fprint(c, test.second)
						return false
					}
					_, err := fmt.Fprint(c, ok+"\r\nok")
					return err == nil
				})
			})
			w := &numbered{n: 3}
			if err := drive(t, addr, 1).run(t.Context(), w); err != nil {
				t.Fatal(err)
			}
			if len(w.answers) != 3 || w.answers[0] != "200 ok" || w.answers[2] != "200 ok" || !strings.Contains(w.answers[1], test.want) {
				t.Errorf("got %q, want the second to be %q", w.answers, test.want)
			}
		})
	}
}

func TestDriveReplacesIdleConnections(t *testing.T) {
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
		if w.answers[0] != "200 ok" {
			t.Errorf("round %d: got %q", round, w.answers)
		}
		if round == 0 {
			close(hangUp)
			<-hungUp
		}
	}
}

func TestDriveGivesUp(t *testing.T) {
	silent := serve(t, func(c net.Conn, _ int) { requests(c, func(string) bool { return true }) })

	t.Run("a request that takes too long", func(t *testing.T) {
		d := drive(t, silent, 2)
		d.patience = 50 * time.Millisecond
		w := &numbered{n: 3}
		if err := d.run(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		for i, got := range w.answers {
			if want := "no answer within 50ms"; got != want {
				t.Errorf("request %d: got %q, want %q", i, got, want)
			}
		}
	})
	t.Run("when told to", func(t *testing.T) {
		stop := errors.New("stop")
		ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, stop)
		defer cancel()
		if err := drive(t, silent, 2).run(ctx, &numbered{n: 3}); !errors.Is(err, stop) {
			t.Errorf("got %v, want %v", err, stop)
		}
	})
	t.Run("when nobody is there any more", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		d := drive(t, l.Addr().String(), 1)
		l.Close() // the connection was never accepted: it is reset
		if err := d.run(t.Context(), &numbered{n: 1}); err == nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("got %v, want a refused connection", err)
		}
	})
}
