package faultproxy

import "time"

// Faults are the network faults that a proxy injects. The zero value injects none.
type Faults struct {
	Cut          bool          // close all connections and reset new ones
	Blackhole    bool          // keep connections open, but drop messages and replies
	DropMessages bool          // drop messages, but forward replies to earlier messages
	DropReplies  bool          // forward messages, but drop replies
	Delay        time.Duration // maximum random delay of each message and each reply
	Duplicate    float64       // probability that an idempotent message is sent again within 20 ms
	Repeat       float64       // probability that an idempotent message is sent again within RepeatWithin
	RepeatWithin time.Duration // maximum random delay of the copies that Repeat causes
	Record       float64       // probability that an idempotent message is kept for Recorder.Replay
}

// Set replaces the faults. Set closes all connections
//   - if the new faults include Cut;
//   - if the proxy stops dropping messages or replies, so that the dropped ones stay lost.
func (p *Proxy) Set(f Faults) {
	p.mu.Lock()
	before := p.faults
	p.faults = f
	close(p.changed)
	p.changed = make(chan struct{})
	p.mu.Unlock()
	if f.Cut || dropsMessages(before) && !dropsMessages(f) || dropsReplies(before) && !dropsReplies(f) {
		p.closeLinks()
	}
}

// current returns the faults that apply now.
func (p *Proxy) current() Faults {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.faults
}

// dropped waits while drops is true for the current faults. If it has waited, dropped returns true, and the caller
// must drop its message or reply.
func (p *Proxy) dropped(drops func(Faults) bool) bool {
	lost := false
	for {
		p.mu.Lock()
		f, changed := p.faults, p.changed
		p.mu.Unlock()
		if !drops(f) {
			return lost
		}
		lost = true
		<-changed
	}
}

func dropsMessages(f Faults) bool { return f.Blackhole || f.DropMessages }
func dropsReplies(f Faults) bool  { return f.Blackhole || f.DropReplies }

// scale returns a fraction, from 0 to 1, of a duration.
func scale(fraction float64, whole time.Duration) time.Duration {
	return time.Duration(fraction * float64(whole))
}
