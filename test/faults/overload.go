package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"checkout/test/check"
	"checkout/test/stack"
)

// overload is the scenario of more work than can be done.
var overload = scenario{
	name: "overload", about: "4 and 16 times the checkouts that the system can bear, in an open loop: the excess is told so before anything begins",
	run: runOverload, sizes: []stack.Size{{Instances: 1, Shards: 1}},
}

const (
	overloadOrders  = 150_000 // told 429 they come up again; enough for everything that can be paid
	overloadMoney   = 1_000_000_000
	overloadClients = 256             // whose closed loop is what the system can bear
	overloadLasts   = 5 * time.Second // as far as it is measured
	warmUp          = time.Second     // before that: callers come, and the system is not at work on all of it yet
)

// overloaded is an overload that runs.
type overloaded struct {
	*system
	trial *trial
	crowd *crowd

	mu     sync.Mutex
	next   []int // orders that nobody is on the way with
	paid   map[int]bool
	shed   map[int]bool // told 429, and nothing else
	doubts map[int]bool // not known
}

func runOverload(ctx context.Context, tr *trial) (err error) {
	s, err := tr.start(ctx, stack.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	o := &overloaded{system: s, trial: tr, crowd: newCrowd(strings.TrimPrefix(s.Stack.Gateway(), "http://"), roomForConnections()),
		paid: map[int]bool{}, shed: map[int]bool{}, doubts: map[int]bool{}}
	defer o.crowd.leave()
	if err := o.fill(); err != nil {
		return err
	}
	how, unite, err := s.split()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unite()) }()
	watched, stop := s.watchMemory()
	lines := row("load", "offered /s", "paid /s", "of the peak", "paid per CPU second", "of the peak", "429 /s", "paid after, p50 / p99", "429 after, p50 / p99", "answers") +
		row("---", "---:", "---:", "---:", "---:", "---:", "---:", "---:", "---:", "---")
	for _, factor := range []float64{4, 16} {
		peak := o.measure(ctx, overloadLasts/2, func(lasts time.Duration) *tally {
			return o.crowd.closed(ctx, overloadClients, lasts, o.checkout)
		})
		if peak.rate(http.StatusOK) == 0 {
			return fmt.Errorf("no checkout was paid: %v", peak.answers())
		}
		over := tr.inject("overload", fmt.Sprintf("%.0fx", factor))
		t := o.offer(ctx, factor*peak.rate(200))
		over()
		lines += peak.row(fmt.Sprintf("%d callers, closed loop: the peak", overloadClients), peak) + t.row(fmt.Sprintf("%.0f times that, open loop", factor), peak)
		o.judge(t.tally)
		lines += o.recover(ctx, peak)
	}
	stop()
	tr.note("%s. Checkouts of two items, through the gateway. What was paid and told 429 is counted while the load lasts, after its first %v: "+
		"not while callers come, nor when nothing is offered any more. Times and answers are of all that was offered. A system whose processors are "+
		"taken by others does less, so what it does is also told by the processor time that it has spent meanwhile.\n\n%s\n"+
		"Most memory of each part, MiB: %s.", how, warmUp, lines, listed(watched.most()))
	return o.truth(ctx)
}

// measured is a tally, and the time in which goodput is counted: while the load lasts, after its warm-up.
type measured struct {
	*tally
	from, to time.Time
	spent    time.Duration // of the system's processors, meanwhile
}

// measure has a load work for its warm-up and for a time that is measured. It returns when all of it is answered.
func (o *overloaded) measure(ctx context.Context, lasts time.Duration, load func(lasts time.Duration) *tally) (m measured) {
	processes := o.Processes()
	var metering sync.WaitGroup
	metering.Go(func() {
		sleep(ctx, warmUp)
		before := spent(processes)
		m.from = time.Now()
		sleep(ctx, lasts)
		m.spent = spent(processes) - before
		m.to = time.Now()
	})
	m.tally = load(warmUp + lasts)
	metering.Wait()
	return m
}

// offer offers so many checkouts a second, whatever becomes of them.
func (o *overloaded) offer(ctx context.Context, rate float64) measured {
	return o.measure(ctx, overloadLasts, func(lasts time.Duration) *tally { return o.crowd.open(ctx, rate, lasts, o.checkout) })
}

// rate is how many a second were answered with a status.
func (m measured) rate(status int) float64 {
	return float64(m.between(m.from, m.to, status)) / m.to.Sub(m.from).Seconds()
}

// perCPU is how many were paid for each second of processor time.
func (m measured) perCPU() float64 { return float64(m.between(m.from, m.to, 200)) / m.spent.Seconds() }

func (m measured) row(name string, peak measured) string {
	return row(name, fmt.Sprintf("%.0f", float64(len(m.heard))/m.lasts.Seconds()),
		fmt.Sprintf("%.0f", m.rate(200)), fmt.Sprintf("%.0f %%", 100*m.rate(200)/peak.rate(200)),
		fmt.Sprintf("%.0f", m.perCPU()), fmt.Sprintf("%.0f %%", 100*m.perCPU()/peak.perCPU()),
		fmt.Sprintf("%.0f", m.rate(429)), times(m.tally, 200), times(m.tally, 429), listed(m.answers()))
}

// fill makes users with much money, items with much stock, and orders.
func (o *overloaded) fill() error {
	for _, path := range []string{
		fmt.Sprintf("/payment/batch_init/1000/%d", overloadMoney), fmt.Sprintf("/stock/batch_init/1000/%d/1", overloadMoney),
		fmt.Sprintf("/orders/batch_init/%d/1000/1000/1", overloadOrders),
	} {
		if a := o.Call("POST", path); !a.OK() {
			return fmt.Errorf("%s: %v", path, a)
		}
	}
	for i := range overloadOrders {
		o.next = append(o.next, i)
	}
	return nil
}

// checkout is the errand to check out an order that is not paid.
func (o *overloaded) checkout() errand {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.next) == 0 {
		return errand{request: []byte("GET /orders/ HTTP/1.1\r\nHost: x\r\n\r\n"), done: func(heard) { o.trial.count("requests for want of orders", 1) }}
	}
	order := o.next[0]
	o.next = o.next[1:]
	return errand{
		request: fmt.Appendf(nil, "POST /orders/checkout/%d HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", order),
		done:    func(h heard) { o.told(order, h) },
	}
}

func (o *overloaded) told(order int, h heard) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case h.status == http.StatusOK:
		o.paid[order] = true
		delete(o.shed, order)
		o.trial.told("200")
		return
	case h.status == http.StatusTooManyRequests:
		o.trial.told("429")
		if !o.doubts[order] {
			o.shed[order] = true
		}
		if !h.retryAfter {
			o.trial.violate("429 without Retry-After")
		}
	case errors.Is(h.err, errNobodyLeft):
	default:
		o.trial.told(strconv.Itoa(h.status))
		o.doubts[order] = true
		delete(o.shed, order)
	}
	o.next = append(o.next, order)
}

// judge tells what must not happen, however many ask.
func (o *overloaded) judge(t *tally) {
	for _, h := range t.heard {
		if h.status != 200 && h.status != 429 && h.status != 503 && !errors.Is(h.err, errNobodyLeft) {
			o.trial.violate("a checkout under overload was answered %d, %v", h.status, h.err)
		}
	}
}

// recover offers half of what can be borne, and tells when all of it is done as ever.
func (o *overloaded) recover(ctx context.Context, peak measured) string {
	t := o.offer(ctx, peak.rate(200)/2)
	var last time.Duration
	for _, h := range t.heard {
		if h.status != http.StatusOK {
			last = max(last, h.began.Sub(t.began))
		}
	}
	return t.row(fmt.Sprintf("half of the peak, after it: all paid after %v", last.Round(time.Millisecond)), peak)
}

// truth compares what was told with what lies in Redis.
func (o *overloaded) truth(ctx context.Context) error {
	o.settle(ctx)
	sn, err := o.shards.Snapshot(ctx)
	if err != nil {
		return err
	}
	put := check.NewDeposits()
	for i := range 1000 {
		put.Credit[strconv.Itoa(i)], put.Stock[strconv.Itoa(i)] = overloadMoney, overloadMoney
	}
	for _, found := range sn.Violations(put) {
		o.trial.violate("%s", found)
	}
	for order := range overloadOrders {
		state := sn.Orders[strconv.Itoa(order)].State
		switch paid := state == "PAID"; {
		case o.paid[order] && !paid:
			o.trial.violate("order %d was told to be paid, and is %s", order, state)
		case o.shed[order] && paid:
			o.trial.violate("order %d was told 429 only, and is paid", order)
		}
	}
	o.trial.count("orders compared with what was told", overloadOrders)
	return nil
}

func times(t *tally, status int) string {
	if t.with(status) == 0 {
		return ""
	}
	return fmt.Sprintf("%v / %v", t.percentile(status, 50).Round(time.Millisecond), t.percentile(status, 99).Round(time.Millisecond))
}
