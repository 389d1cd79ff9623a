package faultproxy

import (
	"bufio"
	"net"
	"time"
)

// link is one connection through a proxy.
type link struct {
	*Proxy
	client, target net.Conn
	sent           chan *inFlight // messages in flight, in order
}

// inFlight is a forwarded message that has no reply yet.
type inFlight struct {
	Call
	trap *Trap // the trap that stops the reply, or nil
}

// Call is a message that the proxy sent to the target.
type Call struct {
	Name  string   // the script or the URL path
	Keys  []string // the script's KEYS
	Args  []string // the script's ARGV
	Began time.Time
	Ended time.Time // zero if no reply arrived
	Reply []string
	Error bool // the reply is a Redis error, so the script did not run
}

// protocol splits a connection into messages and replies.
type protocol interface {
	message(r *bufio.Reader) (message, error)
	reply(r *bufio.Reader) (raw []byte, values []string, failed bool, err error)
}

// message is a parsed request: a Redis command or an HTTP request.
type message struct {
	raw        []byte
	name       string // as in Call
	keys, args []string
	idempotent bool     // the message may be sent again
	values     []string // the command name and its arguments, or the first line of the request
}

func (l *link) close() {
	reset(l.client)
	reset(l.target)
}

// forward sends the client's messages to the target.
func (l *link) forward() {
	defer l.close()
	defer close(l.sent)
	r := bufio.NewReader(l.client)
	for {
		m, err := l.protocol.message(r)
		if err != nil {
			return
		}
		if l.dropped(dropsMessages) {
			return
		}
		faults, draw := l.current(), l.random.message()
		time.Sleep(scale(draw.delay, faults.Delay))
		l.copy(m, faults, draw)
		t := l.trapFor(m)
		if t != nil && t.phase == Before {
			t.stop(m.raw)
			if !t.decide() {
				return
			}
			t = nil
		}
		l.sent <- &inFlight{Call{Name: m.name, Keys: m.keys, Args: m.args, Began: time.Now()}, t}
		if _, err := l.target.Write(m.raw); err != nil {
			return
		}
	}
}

// backward reports each call and sends its reply to the client. If a reply is lost, backward closes the link and
// reports the later calls without replies.
func (l *link) backward() {
	defer func() {
		l.close()
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.links, l)
	}()
	r := bufio.NewReader(l.target)
	ended := false
	for f := range l.sent {
		if ended { // the target may or may not have processed this message
			l.report(f.Call)
			continue
		}
		raw, values, failed, err := l.protocol.reply(r)
		if err == nil {
			f.Ended, f.Reply, f.Error = time.Now(), values, failed
		}
		l.report(f.Call)
		if err != nil || !l.deliver(f, raw) {
			ended = true
			l.close()
		}
	}
}

// deliver sends one reply to the client. It reports whether the reply was sent.
func (l *link) deliver(f *inFlight, raw []byte) bool {
	if f.trap != nil {
		f.trap.stop(nil)
		if !f.trap.decide() {
			return false
		}
	}
	if l.dropped(dropsReplies) {
		return false
	}
	time.Sleep(scale(l.random.reply(), l.current().Delay))
	_, err := l.client.Write(raw)
	return err == nil
}

func (p *Proxy) report(c Call) {
	p.mu.Lock()
	onCall := p.onCall
	p.mu.Unlock()
	if onCall != nil {
		onCall(c)
	}
}

// copy applies the faults Duplicate, Repeat and Record to an idempotent message. It sends each copy on a new
// connection.
func (p *Proxy) copy(m message, f Faults, d draw) {
	if !m.idempotent {
		return
	}
	if d.duplicate < f.Duplicate {
		p.sendLater(m, scale(d.duplicateAfter, 20*time.Millisecond))
	}
	if d.repeat < f.Repeat {
		p.sendLater(m, scale(d.repeatAfter, f.RepeatWithin))
	}
	p.mu.Lock()
	recorder := p.recorder
	p.mu.Unlock()
	if recorder != nil && d.record < f.Record {
		recorder.add(p, m)
	}
}

func (p *Proxy) sendLater(m message, after time.Duration) {
	p.mu.Lock()
	closed := p.closed
	if !closed {
		p.copies.Add(1)
	}
	p.mu.Unlock()
	if closed {
		return
	}
	go func() {
		defer p.copies.Done()
		time.Sleep(after)
		p.send(m) // the client does not receive the reply to the copy
	}()
}

// send sends a message on a new connection and returns the reply.
func (p *Proxy) send(m message) (reply []string, err error) {
	conn, err := net.DialTimeout("tcp", p.target, time.Second)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return nil, err
	}
	call := Call{Name: m.name, Keys: m.keys, Args: m.args, Began: time.Now()}
	defer func() { p.report(call) }()
	if _, err := conn.Write(m.raw); err != nil {
		return nil, err
	}
	_, values, failed, err := p.protocol.reply(bufio.NewReader(conn))
	if err != nil {
		return nil, err
	}
	call.Ended, call.Reply, call.Error = time.Now(), values, failed
	return values, nil
}
