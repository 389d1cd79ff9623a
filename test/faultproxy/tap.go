package faultproxy

import (
	"net"
	"sync"
	"time"
)

// Tap is the way from one part of a system to another. It passes everything on, in order, but for what its weather takes, and what
// is caught by a trap.
type Tap struct {
	speech speech
	target string
	l      net.Listener
	dice   dice

	mu      sync.Mutex
	weather Weather
	changed chan struct{} // closed when the weather changes
	traps   []*Trap
	ways    map[*way]bool
	closed  bool
	heard   func(Call)
	record  *Recorder
	late    sync.WaitGroup // copies that are under way
}

// ToRedis returns a tap before a Redis. It adds the scripts that services load to scripts.
func ToRedis(target string, scripts *Scripts) (*Tap, error) {
	return listen(target, resp{scripts})
}

// ToDoor returns a tap before a door of a service.
func ToDoor(target string) (*Tap, error) { return listen(target, plainHTTP{}) }

func listen(target string, speech speech) (*Tap, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	tp := &Tap{speech: speech, target: target, l: l, ways: map[*way]bool{}, changed: make(chan struct{})}
	tp.Seed(0)
	go tp.accept()
	return tp, nil
}

// Addr is where the tap listens, host:port.
func (tp *Tap) Addr() string { return tp.l.Addr().String() }

// Target is where it leads to, host:port.
func (tp *Tap) Target() string { return tp.target }

// Listen has every call that has reached the target told to heard, when its reply has come, or its connection has ended.
func (tp *Tap) Listen(heard func(Call)) {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	tp.heard = heard
}

// Record keeps messages that may be repeated for later.
func (tp *Tap) Record(r *Recorder) {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	tp.record = r
}

func (tp *Tap) accept() {
	for {
		client, err := tp.l.Accept()
		if err != nil {
			return // closed
		}
		if tp.now().Cut {
			reset(client)
			continue
		}
		go tp.open(client)
	}
}

func (tp *Tap) open(client net.Conn) {
	target, err := net.DialTimeout("tcp", tp.target, time.Second)
	if err != nil {
		reset(client) // as a part that is away
		return
	}
	w := &way{Tap: tp, client: client, target: target, sent: make(chan *passing, 1<<16)}
	tp.mu.Lock()
	closed := tp.closed || tp.weather.Cut
	tp.ways[w] = true
	tp.mu.Unlock()
	if closed {
		w.close()
		return
	}
	go w.up()
	go w.down()
}

// reset ends a connection as one that nobody listens for.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

// Close ends all ways, and lets go what is caught.
func (tp *Tap) Close() {
	tp.l.Close()
	tp.mu.Lock()
	tp.closed = true
	traps := tp.traps
	tp.mu.Unlock()
	tp.Set(Weather{})
	for _, c := range traps {
		c.Drop()
	}
	tp.cut()
	tp.late.Wait()
}

// cut ends all connections.
func (tp *Tap) cut() {
	tp.mu.Lock()
	ways := tp.ways
	tp.ways = map[*way]bool{}
	tp.mu.Unlock()
	for w := range ways {
		w.close()
	}
}
