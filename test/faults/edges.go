package main

import (
	"math/rand/v2"
	"strings"
	"sync"

	"checkout/test/faultproxy"
)

// edges are the ways between the parts of a system, a tap on each, by "from > to".
type edges struct {
	scripts  *faultproxy.Scripts
	recorder *faultproxy.Recorder
	dice     func(who string, n uint64) *rand.Rand

	mu   sync.Mutex
	taps map[string]*faultproxy.Tap

	hearing sync.Mutex
	calls   []faultproxy.Call // of scripts of stock and payment, since they were last asked for
}

// recorded is how many internal requests are kept to be sent again, minutes later.
const recorded = 5000

// newEdges returns the edges of a system that is not yet; their choices are dice's.
func newEdges(dice func(who string, n uint64) *rand.Rand) (*edges, error) {
	return &edges{scripts: &faultproxy.Scripts{}, dice: dice, recorder: &faultproxy.Recorder{Most: recorded, Dice: dice("recorder", 0)}, taps: map[string]*faultproxy.Tap{}}, nil
}

// via puts a tap on the way from one part to another: for stack.Config.
func (e *edges) via(from, to, addr string) (string, error) {
	var tp *faultproxy.Tap
	var err error
	if strings.HasPrefix(to, "redis-") {
		tp, err = faultproxy.ToRedis(addr, e.scripts)
	} else {
		tp, err = faultproxy.ToDoor(addr)
	}
	if err != nil {
		return "", err
	}
	if from != "nginx" && !strings.HasPrefix(to, "redis-") {
		tp.Record(e.recorder)
		tp.Set(fine)
	}
	if strings.HasPrefix(to, "redis-stock-") || strings.HasPrefix(to, "redis-payment-") {
		tp.Listen(e.hear)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	name := from + " > " + to
	if old := e.taps[name]; old != nil { // of a start that was begun anew
		old.Close()
	}
	e.taps[name] = tp
	return tp.Addr(), nil
}

// begin begins the choices of each edge anew, for a round.
func (e *edges) begin(round uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for name, tp := range e.taps {
		tp.Seed(e.dice("edge "+name, round).Uint64())
	}
}

func (e *edges) hear(c faultproxy.Call) {
	if c.Name == "" {
		return // a probe, a read
	}
	e.hearing.Lock()
	defer e.hearing.Unlock()
	e.calls = append(e.calls, c)
}

// heard is what was heard since it was last asked for.
func (e *edges) heard() []faultproxy.Call {
	e.hearing.Lock()
	defer e.hearing.Unlock()
	calls := e.calls
	e.calls = nil
	return calls
}

// fine is the weather without faults: some of what passes is kept.
var fine = faultproxy.Weather{Recorded: 0.2}

// of returns the tap of an edge.
func (e *edges) of(name string) *faultproxy.Tap {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.taps[name]
}

func (e *edges) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, tp := range e.taps {
		tp.Close()
	}
}
