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

// TestSeedSelectsMessages checks that only the seed selects the messages to duplicate and to record. Earlier faults
// do not change the selection.
func TestSeedSelectsMessages(t *testing.T) {
	t.Parallel()
	const messages = 60
	run := func(seed uint64, first Faults) (duplicated, recorded []string) {
		target := countRequests(t)
		p, err := ForHTTP(target.addr)
		if err != nil {
			t.Fatal(err)
		}
		r := &Recorder{Capacity: messages}
		p.RecordTo(r)
		send := func(from, to int, f Faults) {
			p.Set(f)
			conn, err := net.Dial("tcp", p.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			replies := bufio.NewReader(conn)
			for i := from; i < to; i++ {
				fmt.Fprintf(conn, "POST /internal/%d HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", i)
				if _, err := http.ReadResponse(replies, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		p.Seed(seed)
		send(0, 20, first)
		send(20, messages, Faults{Duplicate: 0.5, Record: 0.3})
		p.Close() // waits for the copies
		for path, n := range target.counts() {
			if n == 2 {
				duplicated = append(duplicated, path)
			}
		}
		for _, k := range r.kept {
			recorded = append(recorded, k.message.name)
		}
		slices.Sort(duplicated)
		return duplicated, recorded
	}
	duplicated, recorded := run(1, Faults{})
	if len(duplicated) < 10 || len(duplicated) > 30 || len(recorded) < 4 || len(recorded) > 25 {
		t.Errorf("40 messages: %d duplicated, want 10 to 30; %d recorded, want 4 to 25", len(duplicated), len(recorded))
	}
	again, recordedAgain := run(1, Faults{Delay: time.Millisecond})
	if !slices.Equal(again, duplicated) || !slices.Equal(recordedAgain, recorded) {
		t.Errorf("two runs with seed 1: duplicated %v and %v; recorded %v and %v; want no difference",
			duplicated, again, recorded, recordedAgain)
	}
	if other, _ := run(2, Faults{}); slices.Equal(other, duplicated) {
		t.Errorf("seeds 1 and 2: both duplicate the messages %v, want a difference", other)
	}
}

// requestCounter is a server that counts requests by path.
type requestCounter struct {
	addr   string
	mu     sync.Mutex
	byPath map[string]int
}

func countRequests(t *testing.T) *requestCounter {
	c := &requestCounter{byPath: map[string]int{}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.addr = l.Addr().String()
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.byPath[strings.TrimPrefix(r.URL.Path, "/internal/")]++
	})}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return c
}

func (c *requestCounter) counts() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byPath
}
