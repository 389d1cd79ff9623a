package main

import (
	"math/rand/v2"
	"strings"
	"sync"

	"checkout/test/faultproxy"
)

// proxies are the fault proxies of a system: one on each link, named "from > to".
type proxies struct {
	scripts  *faultproxy.Scripts
	recorder *faultproxy.Recorder
	random   func(name string, n uint64) *rand.Rand

	mu     sync.Mutex
	byLink map[string]*faultproxy.Proxy

	callsMu sync.Mutex
	calls   []faultproxy.Call // script calls on stock and payment since the last takeCalls
}

// recordedMessages is how many internal requests are kept, to be replayed minutes later.
const recordedMessages = 5000

// newProxies returns the proxies of a system that has not started; random seeds them.
func newProxies(random func(name string, n uint64) *rand.Rand) *proxies {
	return &proxies{
		scripts: &faultproxy.Scripts{}, random: random, byLink: map[string]*faultproxy.Proxy{},
		recorder: &faultproxy.Recorder{Capacity: recordedMessages, Random: random("recorder", 0)},
	}
}

// insert inserts a proxy into a link; it implements stack.Config.Proxy.
func (ps *proxies) insert(from, to, addr string) (string, error) {
	var p *faultproxy.Proxy
	var err error
	if strings.HasPrefix(to, "redis-") {
		p, err = faultproxy.ForRedis(addr, ps.scripts)
	} else {
		p, err = faultproxy.ForHTTP(addr)
	}
	if err != nil {
		return "", err
	}
	if from != "nginx" && !strings.HasPrefix(to, "redis-") {
		p.RecordTo(ps.recorder)
		p.Set(noFaults)
	}
	if strings.HasPrefix(to, "redis-stock-") || strings.HasPrefix(to, "redis-payment-") {
		p.OnCall(ps.addCall)
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	name := from + " > " + to
	if old := ps.byLink[name]; old != nil { // the stack started its parts again
		old.Close()
	}
	ps.byLink[name] = p
	return p.Addr(), nil
}

// seed seeds every proxy for a round.
func (ps *proxies) seed(round uint64) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for name, p := range ps.byLink {
		p.Seed(ps.random("link "+name, round).Uint64())
	}
}

func (ps *proxies) addCall(c faultproxy.Call) {
	if c.Name == "" {
		return // a health check or a read
	}
	ps.callsMu.Lock()
	defer ps.callsMu.Unlock()
	ps.calls = append(ps.calls, c)
}

// takeCalls returns the script calls since the last takeCalls.
func (ps *proxies) takeCalls() []faultproxy.Call {
	ps.callsMu.Lock()
	defer ps.callsMu.Unlock()
	calls := ps.calls
	ps.calls = nil
	return calls
}

// noFaults injects nothing, and records some of the messages.
var noFaults = faultproxy.Faults{Record: 0.2}

// on returns the proxy of a link.
func (ps *proxies) on(link string) *faultproxy.Proxy {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.byLink[link]
}

func (ps *proxies) close() {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, p := range ps.byLink {
		p.Close()
	}
}
