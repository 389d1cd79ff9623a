package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"checkout/test/stack"
)

// flood is the scenario of clients who keep connections busy and want nothing.
var flood = scenario{
	name: "flood", about: "idle, slow and half-open connections by thousands, huge headers and endless bodies: whoever buys something does not notice",
	run: runFlood, sizes: []stack.Size{{Instances: 1, Shards: 1}},
}

const (
	floodLasts   = 2 * time.Second
	floodCallers = 8
	floodHarm    = 4 // times as long as without: what would be harm
	floodTries   = 3
	// floodOrders are enough for all callers and tries, at some 3,000 a second. One that is paid already is answered in a fifth of the time:
	// beside such quick answers the same nuisance looked like harm.
	floodOrders = 300_000
)

func runFlood(ctx context.Context, tr *trial) (err error) {
	s, err := tr.start(ctx, stack.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	addr := strings.TrimPrefix(s.Stack.Gateway(), "http://")
	for _, path := range []string{"/payment/batch_init/100/1000000000", "/stock/batch_init/100/1000000000/1", fmt.Sprintf("/orders/batch_init/%d/100/100/1", floodOrders)} {
		if a := s.Call("POST", path); !a.OK() {
			return fmt.Errorf("%s: %v", path, a)
		}
	}
	ordinary := newCrowd(addr, 2*floodCallers)
	defer ordinary.leave()
	var order atomic.Int64
	checkout := func() errand {
		return errand{fmt.Appendf(nil, "POST /orders/checkout/%d HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", order.Add(1)%floodOrders), func(h heard) {
			tr.told(fmt.Sprint(h.status))
		}}
	}
	how, unite, err := s.split()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unite()) }()
	watched, stop := s.watchMemory()
	ordinary.closed(ctx, floodCallers, warmUp, checkout)
	lines := row("beside", "connections", "MiB/s", "p50", "p99", "p99 without", "ratio", "answers") + row("---", "---:", "---:", "---:", "---:", "---:", "---:", "---")
	for _, n := range nuisances() {
		if ctx.Err() != nil {
			break
		}
		if !strings.Contains(n.name, tr.options.only) {
			continue
		}
		line, err := tr.floodBy(ctx, n, addr, ordinary, checkout)
		if err != nil {
			return err
		}
		lines += line
	}
	stop()
	if n := order.Load(); n >= floodOrders {
		return fmt.Errorf("%d checkouts of %d orders: some were paid already", n, floodOrders)
	}
	tr.note("%s. %d callers check out beside them.\n\n%s\nMost memory of each part, MiB: %s.", how, floodCallers, lines, listed(watched.most()))
	s.settle(ctx)
	return nil
}

// floodBy measures how those who buy something are answered without a nuisance, and beside it. Only what is slower each time is
// the nuisance's doing, and no hiccup of the machine's.
func (tr *trial) floodBy(ctx context.Context, n nuisance, addr string, ordinary *crowd, checkout func() errand) (line string, err error) {
	for try := range floodTries {
		before := ordinary.closed(ctx, floodCallers, floodLasts/2, checkout)
		held, over, err := n.send(ctx, addr)
		if err != nil {
			return "", err
		}
		done := tr.inject("flood", n.name)
		t := ordinary.closed(ctx, floodCallers, floodLasts, checkout)
		done()
		said := float64(over()) / floodLasts.Seconds() / (1 << 20)
		for _, h := range t.heard {
			if h.status != http.StatusOK {
				tr.violate("beside %d connections, %s, a checkout was answered %d, %v", held, n.name, h.status, h.err)
			}
		}
		alone, beside := before.percentile(200, 99), t.percentile(200, 99)
		harm := float64(beside) / float64(alone)
		line = row(n.name, fmt.Sprint(held), fmt.Sprintf("%.0f", said), ms(t.percentile(200, 50)), ms(beside), ms(alone), fmt.Sprintf("%.1f", harm), listed(t.answers()))
		if harm <= floodHarm || ctx.Err() != nil {
			return line, nil
		}
		if try == floodTries-1 {
			tr.violate("beside %d connections, %s, those who buy something wait %.1f times as long: p99 %s, and %s without", held, n.name, harm, ms(beside), ms(alone))
		}
	}
	return line, nil
}
