package faultproxy

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestTheSeedChooses sends messages through taps of several seeds: the same seed doubles, and keeps, the same ones again, and another
// seed others, whatever the weather was before.
func TestTheSeedChooses(t *testing.T) {
	t.Parallel()
	const messages = 60
	run := func(seed uint64, before Weather) (doubled, kept []string) {
		at := countRequests(t)
		tp, err := ToDoor(at.addr)
		if err != nil {
			t.Fatal(err)
		}
		r := &Recorder{Most: messages}
		tp.Record(r)
		send := func(from, to int, w Weather) {
			tp.Set(w)
			conn, err := net.Dial("tcp", tp.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			answers := bufio.NewReader(conn)
			for i := from; i < to; i++ {
				fmt.Fprintf(conn, "POST /internal/%d HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", i)
				if _, err := http.ReadResponse(answers, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		tp.Seed(seed)
		send(0, 20, before)
		send(20, messages, Weather{Double: 0.5, Recorded: 0.3})
		tp.Close() // waits for the copies
		for path, n := range at.seen() {
			if n == 2 {
				doubled = append(doubled, path)
			}
		}
		for _, k := range r.kept {
			kept = append(kept, k.m.name)
		}
		slices.Sort(doubled)
		return doubled, kept
	}
	doubled, kept := run(1, Weather{})
	if len(doubled) < 10 || len(doubled) > 30 || len(kept) < 4 || len(kept) > 25 {
		t.Errorf("of 40, %d are doubled, %d kept", len(doubled), len(kept))
	}
	if again, keptAgain := run(1, Weather{Delay: time.Millisecond}); !slices.Equal(again, doubled) || !slices.Equal(keptAgain, kept) {
		t.Errorf("the same seed has doubled %v, then %v; kept %v, then %v", doubled, again, kept, keptAgain)
	}
	if others, _ := run(2, Weather{}); slices.Equal(others, doubled) {
		t.Errorf("another seed has doubled the same: %v", others)
	}
}

// counting is a server that counts requests by path.
type counting struct {
	addr string
	mu   sync.Mutex
	by   map[string]int
}

func countRequests(t *testing.T) *counting {
	c := &counting{by: map[string]int{}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.addr = l.Addr().String()
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.by[strings.TrimPrefix(r.URL.Path, "/internal/")]++
	})}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return c
}

func (c *counting) seen() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.by
}
