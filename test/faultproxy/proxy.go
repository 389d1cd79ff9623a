package faultproxy

import (
	"net"
	"sync"
	"time"
)

// Proxy forwards connections to one target. On each connection it keeps the order of messages. Faults may drop
// messages, and traps may stop messages.
type Proxy struct {
	protocol protocol
	target   string
	listener net.Listener
	random   random

	mu       sync.Mutex
	faults   Faults
	changed  chan struct{} // closed when the faults change
	traps    []*Trap
	links    map[*link]bool
	closed   bool
	onCall   func(Call)
	recorder *Recorder
	copies   sync.WaitGroup // copies in flight
}

// ForRedis starts a proxy to a Redis server. When a client loads a script, the proxy adds the script to the given
// Scripts.
func ForRedis(target string, scripts *Scripts) (*Proxy, error) {
	return listen(target, respProtocol{scripts})
}

// ForHTTP starts a proxy to a port of a service.
func ForHTTP(target string) (*Proxy, error) { return listen(target, httpProtocol{}) }

func listen(target string, protocol protocol) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{protocol: protocol, target: target, listener: l, links: map[*link]bool{}, changed: make(chan struct{})}
	p.Seed(0)
	go p.accept()
	return p, nil
}

// Addr returns the address that the proxy listens on, as host:port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// OnCall sets a function that receives every call sent to the target. The proxy calls the function when the reply
// arrives or the connection ends.
func (p *Proxy) OnCall(f func(Call)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onCall = f
}

// RecordTo sets the recorder that keeps the messages that Faults.Record selects.
func (p *Proxy) RecordTo(r *Recorder) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.recorder = r
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		if p.current().Cut {
			reset(client)
			continue
		}
		go p.open(client)
	}
}

func (p *Proxy) open(client net.Conn) {
	target, err := net.DialTimeout("tcp", p.target, time.Second)
	if err != nil {
		reset(client) // the client gets an error, as without the proxy
		return
	}
	l := &link{Proxy: p, client: client, target: target, sent: make(chan *inFlight, 1<<16)}
	p.mu.Lock()
	closed := p.closed || p.faults.Cut
	p.links[l] = true
	p.mu.Unlock()
	if closed {
		l.close()
		return
	}
	if p.protocol == nil {
		go l.forwardBytes()
		return
	}
	go l.forward()
	go l.backward()
}

// reset closes a connection with a TCP reset.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

// Close closes all connections, drops trapped calls, and waits until all copies of messages are sent.
func (p *Proxy) Close() {
	p.listener.Close()
	p.mu.Lock()
	p.closed = true
	traps := p.traps
	p.mu.Unlock()
	p.Set(Faults{})
	for _, t := range traps {
		t.Drop()
	}
	p.closeLinks()
	p.copies.Wait()
}

func (p *Proxy) closeLinks() {
	p.mu.Lock()
	links := p.links
	p.links = map[*link]bool{}
	p.mu.Unlock()
	for l := range links {
		l.close()
	}
}
