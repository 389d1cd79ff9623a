package faultproxy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Phase is the point at which a trap stops a call.
type Phase int

const (
	Before Phase = iota // stops the message before the target receives it
	After               // stops the reply
)

// Trap stops calls of one script, or requests to one path.
type Trap struct {
	proxy  *Proxy
	Script string // name of the script, or path
	About  string // substring of one of the call's arguments
	phase  Phase

	left  int // number of calls still to stop; guarded by proxy.mu
	calls int // number of calls stopped; guarded by proxy.mu

	stopped chan struct{} // closed when the first call is stopped
	once    sync.Once     // closes the channel "stopped" once
	command []byte        // the first command that was stopped in phase Before
	resume  chan bool     // true forwards one call, false drops one call; closing the channel drops all calls
	closing sync.Once     // closes the channel "resume" once
}

// Trap sets a trap for the next n calls of a script that have an argument with the text "about". On a proxy to an HTTP
// service, the parameter "script" is a path, and the first line of the request must contain the text.
func (p *Proxy) Trap(n int, script, about string, phase Phase) (*Trap, error) {
	if p.protocol == nil {
		return nil, errors.New("set a trap: the proxy was started without a protocol")
	}
	if r, ok := p.protocol.(respProtocol); ok && !r.scripts.has(script) {
		return nil, fmt.Errorf("set a trap: script not loaded: %q", script)
	}
	t := &Trap{
		proxy: p, Script: script, About: about, phase: phase, left: n,
		stopped: make(chan struct{}), resume: make(chan bool, n),
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.traps = append(p.traps, t)
	return t, nil
}

// trapFor returns the trap that must stop a message, or nil. The trap counts the message as stopped.
func (p *Proxy) trapFor(m message) *Trap {
	if m.name == "" {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.traps {
		contains := func(value string) bool { return strings.Contains(value, t.About) }
		if t.Script == m.name && t.left > 0 && slices.ContainsFunc(m.values, contains) {
			t.left--
			t.calls++
			return t
		}
	}
	return nil
}

// stop records the first stopped call.
func (t *Trap) stop(raw []byte) {
	t.once.Do(func() {
		t.command = raw
		close(t.stopped)
	})
}

// decide waits for Pass, Drop or DropOnce. It reports whether to forward the call.
func (t *Trap) decide() bool { return <-t.resume }

// Wait waits until the trap has stopped a call.
func (t *Trap) Wait(timeout time.Duration) error {
	select {
	case <-t.stopped:
		return nil
	case <-time.After(timeout):
		return fmt.Errorf("wait for a call of %s with an argument that contains %q: no call within %v",
			t.Script, t.About, timeout)
	}
}

// Pass forwards one stopped call.
func (t *Trap) Pass() { t.resume <- true }

// Drop drops the stopped calls and all later calls that the trap stops, and closes their connections.
func (t *Trap) Drop() { t.closing.Do(func() { close(t.resume) }) }

// DropOnce drops one stopped call and closes its connection.
func (t *Trap) DropOnce() { t.resume <- false }

// RemoveTraps removes all traps of the proxy.
func (p *Proxy) RemoveTraps() {
	p.mu.Lock()
	traps := p.traps
	p.traps = nil
	p.mu.Unlock()
	for _, t := range traps {
		t.Remove()
	}
}

// Remove drops the stopped calls. The trap stops no further calls.
func (t *Trap) Remove() {
	t.proxy.mu.Lock()
	t.left = 0
	t.proxy.mu.Unlock()
	t.Drop()
}

// Calls returns how many calls were stopped.
func (t *Trap) Calls() int {
	t.proxy.mu.Lock()
	defer t.proxy.mu.Unlock()
	return t.calls
}

// Replay sends the first stopped command on a new connection. It returns the values in the reply.
func (t *Trap) Replay() ([]string, error) {
	if t.command == nil {
		return nil, errors.New("replay a command: no command was stopped in phase Before")
	}
	return t.proxy.send(message{raw: t.command})
}
