package faultproxy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Where a trap catches.
type Where int

const (
	Before Where = iota // the command, which has not reached Redis
	After               // the reply: the command is done
)

// Trap catches calls of one script about one thing.
type Trap struct {
	tap           *Tap
	Script, About string
	where         Where

	left, seen int // calls still to be caught, and caught; guarded by tap.mu

	caught  chan struct{} // closed by the first call
	once    sync.Once
	command []byte    // the first call that was caught before it was done
	goOn    chan bool // closed, or holding what to do with a call: true is to pass it
	done    sync.Once
}

// Trap sets a trap for the next n calls of a script one of whose arguments holds about.
func (tp *Tap) Trap(n int, script, about string, at Where) (*Trap, error) {
	if p, ok := tp.speech.(resp); !ok || !p.scripts.has(script) {
		return nil, fmt.Errorf("there is no script %s", script)
	}
	c := &Trap{tap: tp, Script: script, About: about, where: at, left: n, caught: make(chan struct{}), goOn: make(chan bool, n)}
	tp.mu.Lock()
	defer tp.mu.Unlock()
	tp.traps = append(tp.traps, c)
	return c, nil
}

// trapFor finds the trap that a message falls into.
func (tp *Tap) trapFor(m message) *Trap {
	if m.name == "" {
		return nil
	}
	tp.mu.Lock()
	defer tp.mu.Unlock()
	for _, c := range tp.traps {
		if c.Script == m.name && c.left > 0 && slices.ContainsFunc(m.texts, func(text string) bool { return strings.Contains(text, c.About) }) {
			c.left--
			c.seen++
			return c
		}
	}
	return nil
}

func (c *Trap) catch(raw []byte) {
	c.once.Do(func() {
		c.command = raw
		close(c.caught)
	})
}

func (c *Trap) decide() bool { return <-c.goOn }

// Wait waits until a call is caught.
func (c *Trap) Wait(within time.Duration) error {
	select {
	case <-c.caught:
		return nil
	case <-time.After(within):
		return fmt.Errorf("%s about %s was not called within %v", c.Script, c.About, within)
	}
}

// Pass lets a caught call go on as if nothing had happened.
func (c *Trap) Pass() { c.goOn <- true }

// Drop lets no call go on: neither those that are caught nor those still to be: their connections end.
func (c *Trap) Drop() { c.done.Do(func() { close(c.goOn) }) }

// DropOnce lets the first call that is caught not go on.
func (c *Trap) DropOnce() { c.goOn <- false }

// Never takes the trap away, and lets no call go on that it has caught.
func (c *Trap) Never() {
	c.tap.mu.Lock()
	c.left = 0
	c.tap.mu.Unlock()
	c.Drop()
}

// Calls is how many calls were caught.
func (c *Trap) Calls() int {
	c.tap.mu.Lock()
	defer c.tap.mu.Unlock()
	return c.seen
}

// Replay sends the command that was caught, on a connection of its own, and returns the texts of Redis' reply.
func (c *Trap) Replay() ([]string, error) {
	if c.command == nil {
		return nil, errors.New("nothing was caught before it was done")
	}
	return c.tap.send(message{raw: c.command})
}
