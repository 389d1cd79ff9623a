package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"checkout/common/shard"
)

const (
	buyers    = 16
	loadAlone = 2 * time.Second // before a kill, and after the return
)

// sale is an order of one piece, and what its caller was told of the checkout.
type sale struct {
	purchase
	told told
	at   time.Time
}

type told string

const (
	paid    told = "paid"
	refused told = "refused"
	unknown told = "unknown"
)

// sell makes a user, an item and an order of its own and checks out once. An error that passes, on the way there, sells nothing.
func (s *shop) sell(ctx context.Context) (sale, error) {
	bought, err := s.fill(ctx)
	if err != nil {
		return sale{}, err
	}
	status, err := s.checkout(ctx, bought.order)
	sold := sale{bought, unknown, time.Now()}
	switch {
	case status == http.StatusOK:
		sold.told = paid
	case status == http.StatusServiceUnavailable || status == 0:
	case status >= 400 && status < 500 && !errors.As(err, new(final)):
		sold.told = refused
	default:
		return sale{}, err
	}
	return sold, nil
}

// decided tells whether a sale has come to what its caller was told, or to either end where he was told nothing.
func (s *shop) decided(ctx context.Context, sold sale) error {
	switch sold.told {
	case paid:
		return s.holds(ctx, sold.purchase)
	case refused:
		return s.untouched(ctx, sold.purchase)
	}
	err := s.holds(ctx, sold.purchase)
	if err == nil {
		return nil
	}
	if other := s.untouched(ctx, sold.purchase); other != nil {
		return fmt.Errorf("neither sold nor untouched: %v; %v", err, other) // which passes: recovery may be at it
	}
	return nil
}

// load buys, with several callers, until it is stopped.
type load struct {
	shop   *shop
	cancel context.CancelFunc
	done   sync.WaitGroup
	mu     sync.Mutex
	sales  []sale
	failed int // preparations that a part's absence ended
	err    error
}

func (r *run) startLoad(ctx context.Context) *load {
	ctx, cancel := context.WithCancel(ctx)
	l := &load{cancel: cancel, shop: r.shop.crowd(buyers)}
	for range buyers {
		l.done.Go(func() {
			for ctx.Err() == nil {
				sold, err := l.shop.sell(context.WithoutCancel(ctx))
				l.note(sold, err)
				if err != nil {
					time.Sleep(50 * time.Millisecond)
				}
			}
		})
	}
	return l
}

func (l *load) note(sold sale, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		l.sales = append(l.sales, sold)
	case errors.As(err, new(final)):
		l.err = errors.Join(l.err, err)
	default:
		l.failed++
	}
}

func (l *load) stop() {
	l.cancel()
	l.done.Wait()
	l.shop.client.CloseIdleConnections()
}

// longestPause is the longest time without a paid checkout.
func (l *load) longestPause(from, to time.Time) time.Duration {
	last, longest := from, time.Duration(0)
	for _, sold := range slices.SortedFunc(slices.Values(l.sales), func(a, b sale) int { return a.at.Compare(b.at) }) {
		if sold.told == paid {
			longest, last = max(longest, sold.at.Sub(last)), sold.at
		}
	}
	return max(longest, to.Sub(last))
}

// killsUnderLoad ends the last machine and the last Redis of each service, and at the end the gateway, with SIGKILL, one after the
// other, while callers buy.
func (r *run) killsUnderLoad(ctx context.Context) error {
	var victims []string
	for _, service := range services {
		victims = append(victims, r.project.machinesOf(service)[r.project.machines-1], r.project.shardsOf(service)[r.project.shards-1])
	}
	for _, victim := range append(victims, gateway) {
		err := r.underLoad(ctx, "SIGKILL of "+victim, func() error {
			if err := r.project.kill(ctx, victim); err != nil {
				return err
			}
			return r.project.waitHealthy(ctx)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// underLoad does something while callers buy. What each of them was told must hold.
func (r *run) underLoad(ctx context.Context, what string, do func() error) error {
	begun := time.Now()
	l := r.startLoad(ctx)
	time.Sleep(loadAlone)
	err := do()
	time.Sleep(loadAlone)
	ended := time.Now()
	l.stop()
	if err = errors.Join(err, l.err); err != nil {
		return fmt.Errorf("%s under load: %w", what, err)
	}
	count := map[told]int{}
	for _, sold := range l.sales {
		count[sold.told]++
		if err := poll(ctx, returnsWithin, func() error { return r.shop.decided(ctx, sold) }); err != nil {
			return fmt.Errorf("%s under load, and a caller told %s: %w", what, sold.told, err)
		}
	}
	r.say("  %s: %d paid, %d refused, %d told nothing, %d not begun; longest time without a paid checkout %.1f s",
		what, count[paid], count[refused], count[unknown], l.failed, l.longestPause(begun, ended).Seconds())
	if count[paid] == 0 {
		return fmt.Errorf("%s under load: nothing was paid at all", what)
	}
	return nil
}

// everyPartWorks tells whether the gateway asks every machine, and whether every Redis is given something to keep. Like requests
// follow each other: machines take turns, and every second one, say, might always be the same one's.
func (r *run) everyPartWorks(ctx context.Context) error {
	machines, shards := map[string]bool{}, map[string]bool{}
	for service, paths := range map[string]struct{ ping, create string }{
		"order":   {"/orders/ping", "/orders/create/nobody"},
		"stock":   {"/stock/ping", "/stock/item/create/3"},
		"payment": {"/payment/ping", "/payment/create_user"},
	} {
		for range 4 * r.project.machines {
			answer, err := r.shop.call(ctx, "GET", paths.ping)
			if err != nil {
				return err
			}
			machines[service+" "+answer.Machine] = true
		}
		for range 4 * r.project.machines * r.project.shards {
			answer, err := r.shop.call(ctx, "POST", paths.create)
			if err != nil {
				return err
			}
			id := answer.OrderID + answer.ItemID + answer.UserID // whichever it is
			at, ok := shard.Of(id)
			if !ok {
				return fmt.Errorf("%s: the id %q names no shard", service, id)
			}
			shards[service+" "+strconv.Itoa(at)] = true
		}
	}
	if len(machines) != len(services)*r.project.machines || len(shards) != len(services)*r.project.shards {
		return fmt.Errorf("of %d machines of each service these answer: %v; of %d Redis these are used: %v", r.project.machines, machines, r.project.shards, shards)
	}
	return nil
}
