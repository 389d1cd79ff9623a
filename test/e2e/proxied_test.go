package e2e

import (
	"strings"
	"testing"

	"checkout/test/check"
	"checkout/test/faultproxy"
	"checkout/test/stack"
)

// proxied is a system whose services reach Redis through fault proxies.
type proxied struct {
	*system
	proxies map[string][]*redisProxy // by service, in shard order
}

// startProxied starts one instance of each service. Order and payment have one shard, stock has two.
func startProxied(t *testing.T) *proxied {
	t.Helper()
	return startProxiedWith(t, 1)
}

// startProxiedWith is like startProxied, but starts the given number of order instances.
func startProxiedWith(t *testing.T, orders int) *proxied {
	t.Helper()
	scripts := &faultproxy.Scripts{}
	proxies := map[string][]*redisProxy{}
	t.Cleanup(func() { // start's cleanup runs first and kills the instances
		for _, shards := range proxies {
			for _, p := range shards {
				p.Close()
			}
		}
	})
	proxy := func(from, to, addr string) (string, error) {
		redis, ok := strings.CutPrefix(to, "redis-")
		if !ok {
			return addr, nil
		}
		service, shard, _ := strings.Cut(redis, "-")
		p, err := faultproxy.ForRedis(addr, scripts)
		if err != nil {
			return "", err
		}
		if shard == "0" {
			proxies[service] = nil // if stack.Start retries, it begins with new proxies
		}
		proxies[service] = append(proxies[service], &redisProxy{p, t})
		return p.Addr(), nil
	}
	sizes := map[string]stack.Size{"stock": {Instances: 1, Shards: 2}, "order": {Instances: orders, Shards: 1}}
	s := start(t, stack.Config{Instances: 1, Sizes: sizes, Proxy: proxy})
	return &proxied{s, proxies}
}

// redisProxy is a fault proxy. Its methods end the test on an error.
type redisProxy struct {
	*faultproxy.Proxy
	t testing.TB
}

// trap is a trap of a fault proxy. Its methods end the test on an error.
type trap struct {
	*faultproxy.Trap
	t testing.TB
}

// trapCall sets a trap for the next call of a script with the text arg in an argument.
func (p *redisProxy) trapCall(script, arg string, phase faultproxy.Phase) *trap {
	p.t.Helper()
	return p.trapCalls(1, script, arg, phase)
}

// trapCalls is like trapCall, but the trap stops the next n such calls.
func (p *redisProxy) trapCalls(n int, script, arg string, phase faultproxy.Phase) *trap {
	p.t.Helper()
	c, err := p.Trap(n, script, arg, phase)
	if err != nil {
		p.t.Fatal(err)
	}
	return &trap{c, p.t}
}

// wait waits until the trap stops a call.
func (c *trap) wait() {
	c.t.Helper()
	if err := c.Wait(check.DecisionTimeout); err != nil {
		c.t.Fatal(err)
	}
}
