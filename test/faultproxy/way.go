package faultproxy

import (
	"bufio"
	"net"
	"time"
)

// way is one connection through a tap.
type way struct {
	*Tap
	client, target net.Conn
	sent           chan *passing // one for each message that was sent on
}

// passing is a message that was sent on and waits for its reply.
type passing struct {
	Call
	trap *Trap // what its reply is to be caught by, or nil
}

// Call is a message that has reached its target.
type Call struct {
	Name  string   // of the script, or the path
	Keys  []string // of the script
	Args  []string // likewise
	Began time.Time
	Ended time.Time // zero: no reply has come
	Reply []string
	Error bool // the reply is an error of Redis: the script has not run
}

// speech is how messages and replies look.
type speech interface {
	message(r *bufio.Reader) (message, error)
	reply(r *bufio.Reader) (raw []byte, texts []string, failed bool, err error)
}

// message is one message as it was read.
type message struct {
	raw        []byte
	name       string
	keys, args []string
	repeatable bool // it does the same, and answers the same, however often it comes
	texts      []string
}

func (w *way) close() {
	reset(w.client)
	reset(w.target)
}

// up passes messages on.
func (w *way) up() {
	defer w.close()
	defer close(w.sent)
	r := bufio.NewReader(w.client)
	for {
		m, err := w.speech.message(r)
		if err != nil {
			return
		}
		if w.lost(silent) {
			return
		}
		weather, fate := w.now(), w.dice.next()
		time.Sleep(part(fate.hold, weather.Delay))
		w.copy(m, weather, fate)
		c := w.trapFor(m)
		if c != nil && c.where == Before {
			c.catch(m.raw)
			if !c.decide() {
				return
			}
			c = nil
		}
		w.sent <- &passing{Call{Name: m.name, Keys: m.keys, Args: m.args, Began: time.Now()}, c}
		if _, err := w.target.Write(m.raw); err != nil {
			return
		}
	}
}

// down passes replies back. A reply that is lost is lost together with its connection.
func (w *way) down() {
	defer func() {
		w.close()
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.ways, w)
	}()
	r := bufio.NewReader(w.target)
	ended := false
	for p := range w.sent {
		if ended { // what had been sent may have been done or not
			w.tell(p.Call)
			continue
		}
		raw, texts, failed, err := w.speech.reply(r)
		if err == nil {
			p.Ended, p.Reply, p.Error = time.Now(), texts, failed
		}
		w.tell(p.Call)
		if err != nil || !w.back(p, raw) {
			ended = true
			w.close()
		}
	}
}

// back passes one reply back, and is false if it is lost.
func (w *way) back(p *passing, raw []byte) bool {
	if p.trap != nil {
		p.trap.catch(nil)
		if !p.trap.decide() {
			return false
		}
	}
	if w.lost(mute) {
		return false
	}
	time.Sleep(part(w.dice.nextReply(), w.now().Delay))
	_, err := w.client.Write(raw)
	return err == nil
}

func (tp *Tap) tell(c Call) {
	tp.mu.Lock()
	heard := tp.heard
	tp.mu.Unlock()
	if heard != nil {
		heard(c)
	}
}

// copy sends copies of a message that may be repeated, at once and late, each on a connection of its own, and keeps one.
func (tp *Tap) copy(m message, w Weather, f fate) {
	if !m.repeatable {
		return
	}
	if f.double < w.Double {
		tp.sendLater(m, part(f.doubleAfter, 20*time.Millisecond))
	}
	if f.late < w.Late {
		tp.sendLater(m, part(f.lateAfter, w.LateFor))
	}
	tp.mu.Lock()
	record := tp.record
	tp.mu.Unlock()
	if record != nil && f.keep < w.Recorded {
		record.keep(tp, m)
	}
}

func (tp *Tap) sendLater(m message, after time.Duration) {
	tp.mu.Lock()
	closed := tp.closed
	if !closed {
		tp.late.Add(1)
	}
	tp.mu.Unlock()
	if closed {
		return
	}
	go func() {
		defer tp.late.Done()
		time.Sleep(after)
		tp.send(m) // what becomes of it is nobody's business
	}()
}

// send sends a message on a connection of its own and waits for the reply.
func (tp *Tap) send(m message) (reply []string, err error) {
	conn, err := net.DialTimeout("tcp", tp.target, time.Second)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return nil, err
	}
	call := Call{Name: m.name, Keys: m.keys, Args: m.args, Began: time.Now()}
	defer func() { tp.tell(call) }()
	if _, err := conn.Write(m.raw); err != nil {
		return nil, err
	}
	_, texts, failed, err := tp.speech.reply(bufio.NewReader(conn))
	if err != nil {
		return nil, err
	}
	call.Ended, call.Reply, call.Error = time.Now(), texts, failed
	return texts, nil
}
