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

// overloadScenario sends more checkouts than the system can process.
var overloadScenario = scenario{
	name: "overload", run: runOverload, sizes: []stack.Size{{Instances: 1, Shards: 1}},
	about: "Clients send checkouts at 4 and 16 times the rate that the system can process. " +
		"The system must reject the excess before any work begins",
}

const (
	overloadOrders  = 150_000         // more orders than this scenario pays; it checks out unpaid orders again
	overloadMoney   = 1_000_000_000   // credit of each user, and stock of each item
	overloadClients = 256             // clients of the closed loop that measures the peak rate
	overloadLasts   = 5 * time.Second // duration of a measurement; the peak rate is measured for half of this time
	warmUp          = time.Second     // time before a measurement, in which connections open and queues fill
)

// overloadRun is the state of the scenario.
type overloadRun struct {
	*system
	pool *pool

	mu      sync.Mutex
	next    []int // orders that are not known to be paid and have no request in flight
	paid    map[int]bool
	shed    map[int]bool // orders whose responses were all 429
	unknown map[int]bool // orders with a request whose outcome is unknown
}

func runOverload(ctx context.Context, tr *trial) (err error) {
	s, err := tr.start(ctx, stack.Config{})
	if err != nil {
		return err
	}
	defer s.end(&err)
	o := &overloadRun{
		system: s, pool: newPool(strings.TrimPrefix(s.Stack.Gateway(), "http://"), maxConnections()),
		paid: map[int]bool{}, shed: map[int]bool{}, unknown: map[int]bool{},
	}
	defer o.pool.close()
	if err := s.fill(1000, overloadMoney, overloadOrders); err != nil {
		return err
	}
	for i := range overloadOrders {
		o.next = append(o.next, i)
	}
	processors, restore, err := s.pinProcessors()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, restore()) }()
	memory, stop := s.watchMemory()
	lines := row("load", "offered /s", "paid /s", "of the peak", "paid per CPU second", "of the peak", "429 /s",
		"latency of 200, p50 / p99", "latency of 429, p50 / p99", "responses") +
		row("---", "---:", "---:", "---:", "---:", "---:", "---:", "---:", "---:", "---")
	for _, factor := range []float64{4, 16} {
		peak := o.measure(ctx, overloadLasts/2, func(lasts time.Duration) *results {
			return o.pool.closed(ctx, overloadClients, lasts, o.checkout)
		})
		if peak.rate(http.StatusOK) == 0 {
			return fmt.Errorf("measure the peak: no checkout was paid; responses: %v", peak.outcomes())
		}
		done := tr.inject("overload", fmt.Sprintf("%.0fx", factor))
		m := o.offer(ctx, factor*peak.rate(200))
		done()
		lines += peak.row(fmt.Sprintf("%d clients, closed loop: the peak", overloadClients), peak)
		lines += m.row(fmt.Sprintf("%.0f times the peak, open loop", factor), peak)
		o.checkResults(m.results)
		lines += o.measureRecovery(ctx, peak)
	}
	stop()
	tr.note("%s. Checkouts of two items, through the gateway. The rates of 200 and 429 cover the time under load after "+
		"the first %v. Latencies and responses cover the whole load. Payments per CPU second do not depend on other "+
		"programs on the computer.\n\n%s\nMaximum memory of each process, MiB: %v.",
		processors, warmUp, lines, memory)
	return o.compareWithRedis(ctx)
}

// fill calls batch_init to create users, items and orders with the IDs "0", "1", …. The argument named each is
// the number of users, and also the number of items. The argument money is the credit of each user and the stock of
// each item.
func (s *system) fill(each, money, orders int) error {
	for _, path := range []string{
		fmt.Sprintf("/payment/batch_init/%d/%d", each, money), fmt.Sprintf("/stock/batch_init/%d/%d/1", each, money),
		fmt.Sprintf("/orders/batch_init/%d/%d/%d/1", orders, each, each),
	} {
		if r := s.Call("POST", path); !r.OK() {
			return fmt.Errorf("POST %s: %v", path, r)
		}
	}
	return nil
}

// checkoutRequest returns the bytes of a request to check out the order with a decimal ID.
func checkoutRequest(order int) []byte {
	return fmt.Appendf(nil, "POST /orders/checkout/%d HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", order)
}

// measurement contains the results of a load. Its rates cover only the interval after the warm-up and before the end of
// the load.
type measurement struct {
	*results
	from, to time.Time     // start and end of this interval
	cpu      time.Duration // CPU time of the system in the interval
}

// measure runs a load. After the warm-up, it measures the load for the given duration. It returns after the last
// response.
func (o *overloadRun) measure(ctx context.Context, lasts time.Duration, load func(time.Duration) *results) measurement {
	var m measurement
	processes := o.Processes()
	var metering sync.WaitGroup
	metering.Go(func() {
		sleep(ctx, warmUp)
		before := cpuTime(processes)
		m.from = time.Now()
		sleep(ctx, lasts)
		m.cpu = cpuTime(processes) - before
		m.to = time.Now()
	})
	m.results = load(warmUp + lasts)
	metering.Wait()
	return m
}

// offer measures checkouts that are sent at a fixed rate, in an open loop.
func (o *overloadRun) offer(ctx context.Context, rate float64) measurement {
	return o.measure(ctx, overloadLasts, func(lasts time.Duration) *results {
		return o.pool.open(ctx, rate, lasts, o.checkout)
	})
}

// rate returns how many responses with the given status arrived per second.
func (m measurement) rate(status int) float64 {
	return float64(m.between(m.from, m.to, status)) / m.to.Sub(m.from).Seconds()
}

// perCPU returns the number of paid checkouts per second of CPU time.
func (m measurement) perCPU() float64 { return float64(m.between(m.from, m.to, 200)) / m.cpu.Seconds() }

func (m measurement) row(name string, peak measurement) string {
	latency := func(status int) string {
		if m.percentile(status, 99) == 0 {
			return ""
		}
		round := func(p int) time.Duration { return m.percentile(status, p).Round(time.Millisecond) }
		return fmt.Sprintf("%v / %v", round(50), round(99))
	}
	return row(name, fmt.Sprintf("%.0f", float64(len(m.all))/m.lasts.Seconds()),
		fmt.Sprintf("%.0f", m.rate(200)), fmt.Sprintf("%.0f %%", 100*m.rate(200)/peak.rate(200)),
		fmt.Sprintf("%.0f", m.perCPU()), fmt.Sprintf("%.0f %%", 100*m.perCPU()/peak.perCPU()),
		fmt.Sprintf("%.0f", m.rate(429)), latency(200), latency(429), formatCounts(m.outcomes()))
}

// checkout returns a job that checks out an order that is not known to be paid. If no such order is left, the job is an
// empty request.
func (o *overloadRun) checkout() job {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.next) == 0 {
		return job{
			request: []byte("GET /orders/ HTTP/1.1\r\nHost: x\r\n\r\n"),
			done:    func(result) { o.trial.count("empty requests, because no unpaid order was left", 1) },
		}
	}
	order := o.next[0]
	o.next = o.next[1:]
	return job{checkoutRequest(order), func(r result) { o.record(order, r) }}
}

func (o *overloadRun) record(order int, r result) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case r.status == http.StatusOK:
		o.paid[order] = true
		delete(o.shed, order)
		o.trial.countCheckout("200")
		return
	case r.status == http.StatusTooManyRequests:
		o.trial.countCheckout("429")
		if !o.unknown[order] {
			o.shed[order] = true
		}
		if !r.retryAfter {
			o.trial.violate("got a response with status 429 without Retry-After, want Retry-After")
		}
	case errors.Is(r.err, errNoConnection):
	default:
		o.trial.countCheckout(strconv.Itoa(r.status))
		o.unknown[order] = true
		delete(o.shed, order)
	}
	o.next = append(o.next, order)
}

// checkResults checks that each checkout under overload got 200, 429 or 503. It ignores the checkouts that were not
// sent because all connections were busy.
func (o *overloadRun) checkResults(rs *results) {
	for _, r := range rs.all {
		if r.status != 200 && r.status != 429 && r.status != 503 && !errors.Is(r.err, errNoConnection) {
			o.trial.violate("a checkout under overload got status %d, error %v, want 200, 429 or 503", r.status, r.err)
		}
	}
}

// measureRecovery sends checkouts at half of the peak rate, directly after the overload. It returns a row of the
// report, with the time at which the last failed checkout began.
func (o *overloadRun) measureRecovery(ctx context.Context, peak measurement) string {
	m := o.offer(ctx, peak.rate(200)/2)
	var last time.Duration
	for _, r := range m.all {
		if r.status != http.StatusOK {
			last = max(last, r.began.Sub(m.began))
		}
	}
	return m.row(fmt.Sprintf("then half of the peak: last failure after %v", last.Round(time.Millisecond)), peak)
}

// compareWithRedis checks the invariants, and compares the responses with the orders in Redis.
func (o *overloadRun) compareWithRedis(ctx context.Context) error {
	o.settle(ctx)
	sn, err := o.shards.Snapshot(ctx)
	if err != nil {
		return err
	}
	initial := check.NewDeposits()
	for i := range 1000 {
		initial.Credit[strconv.Itoa(i)], initial.Stock[strconv.Itoa(i)] = overloadMoney, overloadMoney
	}
	for _, violation := range sn.Violations(initial) {
		o.trial.violate("%s", violation)
	}
	for order := range overloadOrders {
		state := sn.Orders[strconv.Itoa(order)].State
		switch paid := state == "PAID"; {
		case o.paid[order] && !paid:
			o.trial.violate("order %d got 200, but is %q, want PAID", order, state)
		case o.shed[order] && paid:
			o.trial.violate("order %d got only responses with status 429, but is PAID", order)
		}
	}
	o.trial.count("orders compared with the responses", overloadOrders)
	return nil
}
