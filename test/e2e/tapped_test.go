package e2e

import (
	"strings"
	"testing"

	"checkout/test/check"
	"checkout/test/faultproxy"
	"checkout/test/stack"
)

// tapped is a system whose services reach their Redises through taps.
type tapped struct {
	*system
	taps map[string][]*tapOf // by service, in shard order
}

// startTapped starts a system of one machine of each service, order and payment with one shard, stock with two, with taps.
func startTapped(t *testing.T) *tapped {
	t.Helper()
	scripts := &faultproxy.Scripts{}
	taps := map[string][]*tapOf{}
	t.Cleanup(func() { // before the parts end, so that none waits for a reply
		for _, taps := range taps {
			for _, tp := range taps {
				tp.Close()
			}
		}
	})
	s := launch(t, stack.Config{Instances: 1, Sizes: map[string]stack.Size{"stock": {Instances: 1, Shards: 2}}, Proxy: func(from, to, addr string) (string, error) {
		redis, ok := strings.CutPrefix(to, "redis-")
		if !ok {
			return addr, nil
		}
		service, shard, _ := strings.Cut(redis, "-")
		tp, err := faultproxy.ForRedis(addr, scripts)
		if err != nil {
			return "", err
		}
		if shard == "0" {
			taps[service] = nil // of a start that was begun anew
		}
		taps[service] = append(taps[service], &tapOf{tp, t})
		return tp.Addr(), nil
	}})
	s.ready()
	return &tapped{s, taps}
}

// tapOf is a tap of one test.
type tapOf struct {
	*faultproxy.Proxy
	t testing.TB
}

// trap is a trap of one test.
type trap struct {
	*faultproxy.Trap
	t testing.TB
}

// set sets a trap for the next call of a script one of whose arguments holds about.
func (tp *tapOf) set(script, about string, at faultproxy.Phase) *trap {
	tp.t.Helper()
	return tp.setMany(1, script, about, at)
}

func (tp *tapOf) setMany(n int, script, about string, at faultproxy.Phase) *trap {
	tp.t.Helper()
	c, err := tp.Trap(n, script, about, at)
	if err != nil {
		tp.t.Fatal(err)
	}
	return &trap{c, tp.t}
}

// wait waits until a call is caught.
func (c *trap) wait() {
	c.t.Helper()
	if err := c.Wait(check.DecisionTimeout); err != nil {
		c.t.Fatal(err)
	}
}
