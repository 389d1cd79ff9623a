package main

import (
	"math/rand/v2"
	"strings"
	"sync"

	"checkout/test/faultproxy"
)

// proxies are the fault proxies of a system. Each link has one proxy. Links are named "from > to".
type proxies struct {
	scripts  *faultproxy.Scripts
	recorder *faultproxy.Recorder
	random   func(name string, n uint64) *rand.Rand

	mu     sync.Mutex
	byLink map[string]*faultproxy.Proxy

	callsMu sync.Mutex
	calls   []faultproxy.Call // script calls to stock and payment shards since the last takeCalls
}

// recordedMessages is the maximum number of internal requests to keep for a replay after the round.
const recordedMessages = 5000

// newProxies returns the proxies of a system that has not started. The argument is a function that returns random
// number generators for the proxies.
func newProxies(random func(name string, n uint64) *rand.Rand) *proxies {
	return &proxies{
		scripts: &faultproxy.Scripts{}, random: random, byLink: map[string]*faultproxy.Proxy{},
		recorder: &faultproxy.Recorder{Capacity: recordedMessages, Random: random("recorder", 0)},
	}
}

// insert inserts a proxy into a link and returns the address of the proxy. It implements stack.Config.Proxy.
func (ps *proxies) insert(from, to, addr string) (string, error) {
	var p *faultproxy.Proxy
	var err error
	replication := strings.HasPrefix(from, "redis-")
	switch {
	case replication:
		p, err = faultproxy.ForTCP(addr)
	case strings.HasPrefix(to, "redis-"):
		p, err = faultproxy.ForRedis(addr, ps.scripts)
	default:
		p, err = faultproxy.ForHTTP(addr)
	}
	if err != nil {
		return "", err
	}
	if from != "nginx" && !strings.HasPrefix(to, "redis-") {
		p.RecordTo(ps.recorder)
		p.Set(noFaults)
	}
	if !replication && (strings.HasPrefix(to, "redis-stock-") || strings.HasPrefix(to, "redis-payment-")) {
		p.OnCall(ps.addCall)
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	name := from + " > " + to
	if old := ps.byLink[name]; old != nil { // stack.Start has tried again with other ports
		old.Close()
	}
	ps.byLink[name] = p
	return p.Addr(), nil
}

// seed reseeds the random numbers of every proxy for a round.
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

// takeCalls returns the script calls since the previous takeCalls.
func (ps *proxies) takeCalls() []faultproxy.Call {
	ps.callsMu.Lock()
	defer ps.callsMu.Unlock()
	calls := ps.calls
	ps.calls = nil
	return calls
}

// noFaults injects no faults, but records some messages.
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
