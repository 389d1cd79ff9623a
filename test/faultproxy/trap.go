package faultproxy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Phase says where a trap stops a call.
type Phase int

const (
	Before Phase = iota // stops the command: Redis does not receive it
	After               // stops the reply: the command ran
)

// Trap stops calls of one script.
type Trap struct {
	proxy         *Proxy
	Script, About string // the script, and a text that one of its arguments contains
	phase         Phase

	left, calls int // calls still to stop, and calls stopped; guarded by proxy.mu

	stopped chan struct{} // closed by the first call
	once    sync.Once
	command []byte    // the first call that was stopped Before
	resume  chan bool // true forwards a call, false drops it; closed: drops all
	closing sync.Once
}

// Trap sets a trap for the next n calls of a script that have an argument containing about.
func (p *Proxy) Trap(n int, script, about string, phase Phase) (*Trap, error) {
	if r, ok := p.protocol.(respProtocol); !ok || !r.scripts.has(script) {
		return nil, fmt.Errorf("set a trap: no script is named %q", script)
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

// trapFor returns the trap that a message triggers, or nil.
func (p *Proxy) trapFor(m message) *Trap {
	if m.name == "" {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.traps {
		contains := func(text string) bool { return strings.Contains(text, t.About) }
		if t.Script == m.name && t.left > 0 && slices.ContainsFunc(m.texts, contains) {
			t.left--
			t.calls++
			return t
		}
	}
	return nil
}

func (t *Trap) stop(raw []byte) {
	t.once.Do(func() {
		t.command = raw
		close(t.stopped)
	})
}

func (t *Trap) decide() bool { return <-t.resume }

// Wait waits for the first call.
func (t *Trap) Wait(timeout time.Duration) error {
	select {
	case <-t.stopped:
		return nil
	case <-time.After(timeout):
		return fmt.Errorf("wait for a call of %s about %s: none within %v", t.Script, t.About, timeout)
	}
}

// Pass forwards one stopped call.
func (t *Trap) Pass() { t.resume <- true }

// Drop drops all calls, those stopped now and those still to come, and closes their connections.
func (t *Trap) Drop() { t.closing.Do(func() { close(t.resume) }) }

// DropOnce drops one stopped call.
func (t *Trap) DropOnce() { t.resume <- false }

// Remove removes the trap and drops the calls that it holds. Later calls pass.
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

// Replay sends the first stopped command on a new connection and returns the texts of the reply.
func (t *Trap) Replay() ([]string, error) {
	if t.command == nil {
		return nil, errors.New("replay a command: none was stopped before Redis")
	}
	return t.proxy.send(message{raw: t.command})
}
