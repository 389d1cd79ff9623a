package e2e

import (
	"bufio"
	"errors"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// tap is the way between a service and one of its Redises. It passes everything on, in order, but for what is caught by a trap.
type tap struct {
	t       testing.TB
	scripts map[string]string // names by SHA-1
	l       net.Listener

	mu     sync.Mutex
	target string // of Redis; empty: it is not known yet
	traps  []*trap
	ways   map[*way]bool
	closed bool
}

// way is one connection through a tap.
type way struct {
	*tap
	client, redis net.Conn
	sent          chan *trap // one for each command that was sent on: what its reply is to be caught by, or nil
}

func newTap(t testing.TB, scripts map[string]string) *tap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tp := &tap{t: t, scripts: scripts, l: l, ways: map[*way]bool{}}
	go tp.accept()
	return tp
}

func (tp *tap) accept() {
	for {
		client, err := tp.l.Accept()
		if err != nil {
			return // closed
		}
		tp.mu.Lock()
		target := tp.target
		tp.mu.Unlock()
		redis, err := net.DialTimeout("tcp", target, time.Second)
		if err != nil {
			client.Close() // as a Redis that is away
			continue
		}
		w := &way{tap: tp, client: client, redis: redis, sent: make(chan *trap, 1<<16)}
		tp.mu.Lock()
		closed := tp.closed
		tp.ways[w] = true
		tp.mu.Unlock()
		if closed {
			w.close()
			continue
		}
		go w.up()
		go w.down()
	}
}

// close ends all ways, and lets go what is caught.
func (tp *tap) close() {
	tp.l.Close()
	tp.mu.Lock()
	tp.closed = true
	ways, traps := tp.ways, tp.traps
	tp.ways = map[*way]bool{}
	tp.mu.Unlock()
	for _, c := range traps {
		c.drop()
	}
	for w := range ways {
		w.close()
	}
}

func (w *way) close() {
	w.client.Close()
	w.redis.Close()
}

// up passes commands on.
func (w *way) up() {
	defer w.close()
	defer close(w.sent)
	r := bufio.NewReader(w.client)
	for {
		raw, texts, err := readRESP(r)
		if err != nil {
			return
		}
		c := w.trapFor(texts)
		if c != nil && c.where == before {
			c.catch(raw, w.redis.RemoteAddr().String())
			if !c.decide() {
				return
			}
			c = nil
		}
		w.sent <- c
		if _, err := w.redis.Write(raw); err != nil {
			return
		}
	}
}

// down passes replies back. A reply that was caught is dropped together with its connection, as a reply is lost.
func (w *way) down() {
	defer w.close()
	r := bufio.NewReader(w.redis)
	for c := range w.sent {
		raw, _, err := readRESP(r)
		if err != nil {
			return
		}
		if c != nil {
			c.catch(nil, "")
			if !c.decide() {
				return
			}
		}
		if _, err := w.client.Write(raw); err != nil {
			return
		}
	}
}

// trapFor finds the trap that a command falls into.
func (tp *tap) trapFor(command []string) *trap {
	if len(command) < 2 || !strings.EqualFold(command[0], "EVALSHA") {
		return nil
	}
	tp.mu.Lock()
	defer tp.mu.Unlock()
	script := tp.scripts[command[1]]
	for _, c := range tp.traps {
		if c.script == script && c.left > 0 && slices.ContainsFunc(command[2:], func(arg string) bool { return strings.Contains(arg, c.about) }) {
			c.left--
			c.seen++
			return c
		}
	}
	return nil
}

// where a trap catches.
type where int

const (
	before where = iota // the command, which has not reached Redis
	after               // the reply: the command is done
)

// trap catches calls of one script about one thing.
type trap struct {
	tap           *tap
	script, about string
	where         where

	left, seen int // calls still to be caught, and caught; guarded by tap.mu

	caught  chan struct{} // closed by the first call
	once    sync.Once
	command []byte // the first call that was caught before it was done, and where it was going to
	target  string
	goOn    chan bool // closed, or holding what to do with a call: true is to pass it
	done    sync.Once
}

// set sets a trap for the next call of a script one of whose arguments holds about.
func (tp *tap) set(script, about string, at where) *trap { return tp.setMany(1, script, about, at) }

func (tp *tap) setMany(n int, script, about string, at where) *trap {
	if !slices.Contains(slices.Collect(maps.Values(tp.scripts)), script) {
		tp.t.Fatalf("there is no script %s", script)
	}
	c := &trap{tap: tp, script: script, about: about, where: at, left: n, caught: make(chan struct{}), goOn: make(chan bool, n)}
	tp.mu.Lock()
	defer tp.mu.Unlock()
	tp.traps = append(tp.traps, c)
	return c
}

func (c *trap) catch(raw []byte, target string) {
	c.once.Do(func() {
		c.command, c.target = raw, target
		close(c.caught)
	})
}

func (c *trap) decide() bool { return <-c.goOn }

// wait waits until a call is caught.
func (c *trap) wait() {
	c.tap.t.Helper()
	select {
	case <-c.caught:
	case <-time.After(decidedWithin):
		c.tap.t.Fatalf("%s about %s was never called", c.script, c.about)
	}
}

// pass lets a caught call go on as if nothing had happened.
func (c *trap) pass() { c.goOn <- true }

// drop lets no call go on: neither those that are caught nor those still to be: their connections end.
func (c *trap) drop() { c.done.Do(func() { close(c.goOn) }) }

// dropOnce lets the first call that is caught not go on.
func (c *trap) dropOnce() { c.goOn <- false }

// never takes the trap away, and lets no call go on that it has caught.
func (c *trap) never() {
	c.tap.mu.Lock()
	c.left = 0
	c.tap.mu.Unlock()
	c.drop()
}

// calls is how many calls were caught.
func (c *trap) calls() int {
	c.tap.mu.Lock()
	defer c.tap.mu.Unlock()
	return c.seen
}

// replay sends the command that was caught, on a connection of its own, and returns the texts of Redis' reply.
func (c *trap) replay() ([]string, error) {
	if c.command == nil {
		return nil, errors.New("nothing was caught before it was done")
	}
	conn, err := net.DialTimeout("tcp", c.target, time.Second)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return nil, err
	}
	if _, err := conn.Write(c.command); err != nil {
		return nil, err
	}
	_, texts, err := readRESP(bufio.NewReader(conn))
	return texts, err
}
