package main

import (
	"context"
	"errors"
	"log"
	"time"
)

// phase is the result of one slice of work, or the sum of several slices of the same kind of work.
type phase struct {
	*tally
	elapsed time.Duration // until the last response
	cpu     usage         // by the servers until all checkouts are confirmed, by the generator until the last response
	exited  []string      // server processes that exited meanwhile; if any, cpu contains only the generator
	share   cpuShare      // until the last response
}

// cpuShare is the use of all processors of this host.
type cpuShare struct {
	all, busy time.Duration
	own       time.Duration // the part of the busy time that the servers and the generator used
}

func newPhase() *phase { return &phase{tally: newTally(), cpu: usage{}} }

func (p *phase) join(slice *phase) {
	p.merge(slice.tally)
	p.elapsed += slice.elapsed
	p.cpu.add(slice.cpu)
	p.exited = append(p.exited, slice.exited...)
	if len(p.exited) > 0 {
		p.cpu = p.cpu.onlyGenerator()
	}
	p.share.all += slice.share.all
	p.share.busy += slice.share.busy
	p.share.own += slice.share.own
}

// rate returns the number of requests per second.
func (p *phase) rate() float64 { return float64(p.count()) / p.elapsed.Seconds() }

// p.each(used) is the processor time used, divided by the number of requests, in µs.
func (p *phase) each(used time.Duration) float64 {
	return float64(used) / float64(time.Microsecond) / float64(p.count())
}

// cost returns the processor time of all servers per request, in µs. The result 0 means unknown.
func (p *phase) cost() float64 { return p.each(p.cpu.servers().total()) }

// p.of(kind) is the processor time of one kind of process per request, in µs.
func (p *phase) of(kind string) float64 { return p.each(p.cpu[kind].total()) }

// shares returns two shares of the processor time, from 0 to 1: the busy time, and the time of other programs.
func (c cpuShare) shares() (busy, others float64) {
	if c.all == 0 {
		return 0, 0
	}
	return float64(c.busy) / float64(c.all), max(float64(c.busy-c.own)/float64(c.all), 0)
}

// point is the measurement of checkouts with a certain number of clients.
type point struct {
	name     string
	clients  int
	items    int // of each order
	shards   int // of each service
	work     *phase
	baseline *phase    // empty requests
	ratios   []float64 // empty requests per checkout, for each pair of slices
	backlog  int64     // the largest number of undecided and unconfirmed checkouts after a slice
	sent     int       // checkouts, including the warm-up
	paid     int
	violations
}

// ok reports whether all requests succeeded, all orders are paid and there is no violation.
func (p *point) ok() bool {
	return p.work.allOK() && p.baseline.allOK() && p.paid == p.sent && len(p.named) == 0
}

// ratio returns how many empty requests cost as much as one checkout.
func (p *point) ratio() float64 { return p.baseline.rate() / p.work.rate() }

// join adds the results of another measurement with the same parameters.
func (p *point) join(other *point) {
	p.work.join(other.work)
	p.baseline.join(other.baseline)
	p.ratios = append(p.ratios, other.ratios...)
	p.backlog = max(p.backlog, other.backlog)
	p.sent += other.sent
	p.paid += other.paid
	p.violations.join(other.violations)
}

// bench measures one system.
type bench struct {
	sys    *system
	fix    *fixture
	plan   plan
	log    *log.Logger
	shards int // of each service
}

// newBench starts a system, or uses the running system at o.gateway. Then it creates users and items.
func newBench(ctx context.Context, o options, p plan, shards int, log *log.Logger) (*bench, error) {
	b := &bench{plan: p, log: log, shards: shards}
	var err error
	if o.gateway != "" {
		b.sys, err = runningSystem(o.gateway)
	} else {
		b.sys, err = startSystem(ctx, shards, log.Writer())
	}
	if err != nil {
		return nil, err
	}
	b.log.Printf("preparing %d users and %d items", p.users, p.items)
	b.fix = &fixture{lines: 1, tolerant: p.tolerant}
	if err = b.fix.open(ctx, b.sys.gateway, p.users, p.items); err != nil {
		return nil, errors.Join(err, b.sys.close())
	}
	return b, nil
}

func (b *bench) close() error { return errors.Join(b.fix.close(), b.sys.close()) }

const (
	warmUp         = 10 // number of measured checkouts for each warm-up checkout
	baselineAtMost = 5 * time.Second
)

// closed measures n checkouts in a closed loop, in slices. After each slice, it measures empty requests for comparison.
func (b *bench) closed(ctx context.Context, clients, n, slices int) (*point, error) {
	warm := max(n/warmUp, clients)
	b.log.Printf("%s: preparing %d orders", plural(clients, "client"), warm+n)
	all, err := b.fix.orders(ctx, warm+n)
	if err != nil {
		return nil, err
	}
	d, err := newDriver(ctx, b.sys.gateway, clients)
	if err != nil {
		return nil, err
	}
	defer d.close()
	p := &point{name: plural(clients, "client"), clients: clients, items: b.fix.lines, shards: b.shards,
		work: newPhase(), baseline: newPhase()}
	if _, err := b.checkOut(ctx, d, all[:warm], p); err != nil {
		return nil, err
	}
	orders := all[warm:]
	for i := range slices {
		work, err := b.checkOut(ctx, d, orders[i*n/slices:(i+1)*n/slices], p)
		if err != nil {
			return nil, err
		}
		baseline, err := b.timed(ctx, d, empty, min(max(work.elapsed, b.plan.slice), baselineAtMost))
		if err != nil {
			return nil, err
		}
		ratio := baseline.rate() / work.rate()
		b.log.Printf("%s, slice %d of %d: %.0f checkouts/s, %.0f empty requests/s, ratio %.1f",
			p.name, i+1, slices, work.rate(), baseline.rate(), ratio)
		p.ratios = append(p.ratios, ratio)
		p.work.join(work)
		p.baseline.join(baseline)
	}
	return p, b.verify(ctx, p, all)
}

// verify reads back orders. It adds the numbers of sent and paid orders, and the violations, to p.
func (b *bench) verify(ctx context.Context, p *point, orders []order) error {
	paid, violations, err := b.fix.verify(ctx, orders)
	p.sent += len(orders)
	p.paid += paid
	p.violations.join(violations)
	return err
}

// checkOut checks out orders. It keeps the largest backlog so far in p.
func (b *bench) checkOut(ctx context.Context, d *driver, orders []order, p *point) (*phase, error) {
	into := newPhase()
	backlog, err := b.slice(ctx, d, into, &checkouts{host: d.addr, orders: orders, tally: into.tally})
	p.backlog = max(p.backlog, backlog)
	return into, err
}

// timed sends requests of one kind for a duration.
func (b *bench) timed(ctx context.Context, d *driver, k kind, duration time.Duration) (*phase, error) {
	into := newPhase()
	_, err := b.slice(ctx, d, into, &timed{kind: k, host: d.addr, duration: duration, tally: into.tally})
	return into, err
}

// slice runs one slice of work. The elapsed time ends with the last response, but the processor time of the servers
// includes later work for the checkouts, such as confirmations. slice returns the backlog after the last response, see
// settle.
func (b *bench) slice(ctx context.Context, d *driver, into *phase, w work) (backlog int64, err error) {
	before, err := b.read()
	if err != nil {
		return 0, err
	}
	start := time.Now()
	if err := d.run(ctx, w); err != nil {
		return 0, err
	}
	into.elapsed = time.Since(start)
	after, err := b.read()
	if err != nil {
		return 0, err
	}
	if backlog, err = b.sys.settle(ctx); err != nil {
		return 0, err
	}
	settled, err := readProcessTimes(b.sys.processes)
	if err != nil {
		return 0, err
	}
	during, _ := after.times.since(before.times)
	into.cpu, into.exited = settled.since(before.times)
	into.cpu[generator] = during[generator]
	busy, idle := after.host.busy-before.host.busy, after.host.idle-before.host.idle
	into.share = cpuShare{all: busy + idle, busy: busy, own: during.servers().plus(during[generator]).total()}
	return backlog, nil
}

// reading contains all processor times at one moment.
type reading struct {
	times processTimes
	host  hostCPU
}

func (b *bench) read() (r reading, err error) {
	if r.times, err = readProcessTimes(b.sys.processes); err != nil {
		return r, err
	}
	r.host, err = readHostCPU()
	return r, err
}
