package tap

import (
	"bufio"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// Tap is the way between a service and one of its Redises. It passes everything on, in order, but for what is caught by a trap.
type Tap struct {
	scripts map[string]string // names by SHA-1
	l       net.Listener

	mu     sync.Mutex
	target string // of Redis; empty: it is not known yet
	traps  []*Trap
	ways   map[*way]bool
	closed bool
}

// way is one connection through a tap.
type way struct {
	*Tap
	client, redis net.Conn
	sent          chan *Trap // one for each command that was sent on: what its reply is to be caught by, or nil
}

// New returns a tap that listens on a free port. Scripts are their names by SHA-1. Until Lead is called nobody is let through.
func New(scripts map[string]string) (*Tap, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	tp := &Tap{scripts: scripts, l: l, ways: map[*way]bool{}}
	go tp.accept()
	return tp, nil
}

// Addr is where the tap listens, host:port.
func (tp *Tap) Addr() string { return tp.l.Addr().String() }

// Lead says where the Redis behind the tap is, host:port.
func (tp *Tap) Lead(target string) {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	tp.target = target
}

func (tp *Tap) accept() {
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
		w := &way{Tap: tp, client: client, redis: redis, sent: make(chan *Trap, 1<<16)}
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

// Close ends all ways, and lets go what is caught.
func (tp *Tap) Close() {
	tp.l.Close()
	tp.mu.Lock()
	tp.closed = true
	ways, traps := tp.ways, tp.traps
	tp.ways = map[*way]bool{}
	tp.mu.Unlock()
	for _, c := range traps {
		c.Drop()
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
		raw, texts, err := ReadRESP(r)
		if err != nil {
			return
		}
		c := w.trapFor(texts)
		if c != nil && c.where == Before {
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
		raw, _, err := ReadRESP(r)
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
func (tp *Tap) trapFor(command []string) *Trap {
	if len(command) < 2 || !strings.EqualFold(command[0], "EVALSHA") {
		return nil
	}
	tp.mu.Lock()
	defer tp.mu.Unlock()
	script := tp.scripts[command[1]]
	for _, c := range tp.traps {
		if c.Script == script && c.left > 0 && slices.ContainsFunc(command[2:], func(arg string) bool { return strings.Contains(arg, c.About) }) {
			c.left--
			c.seen++
			return c
		}
	}
	return nil
}
