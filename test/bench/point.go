package main

import (
	"context"
	"fmt"
	"time"
)

// plan is how to measure.
type plan struct {
	clients    int
	n          int // checkouts that count
	slices     int
	profileDir string // where to save CPU profiles of the services; empty: none
}

// phase is all slices of one kind of work.
type phase struct {
	*tally
	elapsed   time.Duration
	servers   account
	generator cpu
	machine   machine       // while requests were under way
	ours      time.Duration // of it: servers and generator
}

func newPhase(expected int) *phase { return &phase{tally: newTally(expected), servers: account{}} }

// rate is requests a second.
func (p *phase) rate() float64 { return float64(p.count()) / p.elapsed.Seconds() }

// each is the processor time of one request.
func (p *phase) each(used time.Duration) time.Duration {
	return time.Duration(float64(used) / float64(p.count()))
}

// shares are how busy the processors were, and how much of them was taken by what is no part of this, from 0 to 1.
func (p *phase) shares() (busy, others float64) {
	all := float64(p.machine.busy + p.machine.idle)
	if all == 0 {
		return 0, 0
	}
	return float64(p.machine.busy) / all, max(float64(p.machine.busy-p.ours)/all, 0)
}

// point is what was measured with one number of clients.
type point struct {
	clients  int
	lines    int // of each order
	work     *phase
	floor    *phase
	ratios   []float64 // empty requests a second over checkouts a second, of each pair of slices
	backlog  int64     // the most checkouts that were unconfirmed when their slice had ended
	paid     int       // of all that were sent, those to warm up included
	sent     int
	findings findings
}

// ok says that every checkout succeeded, and that everything adds up.
func (p *point) ok() bool {
	return p.work.allOK() && p.floor.allOK() && p.paid == p.sent && len(p.findings.named) == 0
}

const (
	warmUp        = 10 // one checkout for so many that count
	floorAtLeast  = 500 * time.Millisecond
	floorAtMost   = 5 * time.Second
	profileFor    = 10 * time.Second
	profileMargin = 1.4 // more work than a profile needs
)

// bench measures one system.
type bench struct {
	sys   *system
	fix   *fixture
	live  *live
	quick bool // slices of a time are a twentieth of what they should be
}

// lasting is how long a slice of a time takes.
func (b *bench) lasting(d time.Duration) time.Duration {
	if b.quick {
		return d / quickly
	}
	return d
}

// join adds what was measured at another time with as many clients.
func (p *point) join(other *point) {
	p.work.join(other.work)
	p.floor.join(other.floor)
	p.ratios = append(p.ratios, other.ratios...)
	p.backlog = max(p.backlog, other.backlog)
	p.paid += other.paid
	p.sent += other.sent
	p.findings.join(other.findings)
}

// measure measures one point: slices of checkouts and slices of empty requests in turn.
func (b *bench) measure(ctx context.Context, p plan) (_ *point, err error) {
	warm := max(p.n/warmUp, p.clients)
	b.live.say("%d clients: preparing %d orders", p.clients, warm+p.n)
	all, err := b.fix.orders(ctx, warm+p.n)
	if err != nil {
		return nil, err
	}
	d, err := newDriver(ctx, b.sys.gateway, p.clients)
	if err != nil {
		return nil, err
	}
	defer d.close()
	at := &point{clients: p.clients, lines: b.fix.lines, work: newPhase(p.n), floor: newPhase(0)}
	if err := b.checkOut(ctx, d, all[:warm], newPhase(warm), at, "warming up"); err != nil {
		return nil, err
	}
	orders := all[warm:]
	for i := range p.slices {
		slice := orders[i*len(orders)/p.slices : (i+1)*len(orders)/p.slices]
		if err := b.pair(ctx, d, at, slice, fmt.Sprintf("slice %d of %d", i+1, p.slices)); err != nil {
			return nil, err
		}
	}
	if err := b.verify(ctx, at, all); err != nil {
		return nil, err
	}
	if p.profileDir != "" && b.sys.stack != nil {
		return at, b.profile(ctx, d, at, p.profileDir)
	}
	return at, nil
}

// pair measures one slice of checkouts, and then one of empty requests that takes as long.
func (b *bench) pair(ctx context.Context, d *driver, at *point, orders []order, what string) error {
	work, floor := newPhase(len(orders)), newPhase(0)
	if err := b.checkOut(ctx, d, orders, work, at, what+", checkouts"); err != nil {
		return err
	}
	took := min(max(work.elapsed, b.lasting(floorAtLeast)), floorAtMost)
	nothing := &empties{host: d.addr, last: took, tally: floor.tally}
	if _, err := b.slice(ctx, d, floor, nothing, what+", empty requests"); err != nil {
		return err
	}
	ratio := floor.rate() / work.rate()
	b.live.say("%d clients, %s: %.0f checkouts/s, %.0f empty requests/s, ratio %.1f", at.clients, what, work.rate(), floor.rate(), ratio)
	at.ratios = append(at.ratios, ratio)
	at.work.join(work)
	at.floor.join(floor)
	return nil
}

// checkOut checks orders out.
func (b *bench) checkOut(ctx context.Context, d *driver, orders []order, into *phase, at *point, what string) error {
	backlog, err := b.slice(ctx, d, into, &checkouts{host: d.addr, orders: orders, tally: into.tally}, what)
	at.backlog = max(at.backlog, backlog)
	return err
}

// slice runs one slice of work. Its time ends with the last answer; its processor time ends when every checkout is
// confirmed, so that no work is left out. The backlog is what was unconfirmed at the last answer.
func (b *bench) slice(ctx context.Context, d *driver, into *phase, w work, what string) (backlog int64, err error) {
	counting := &counted{work: w}
	defer b.live.watch(fmt.Sprintf("%d clients, %s", len(d.conns), what), counting)()
	before, err := b.read()
	if err != nil {
		return 0, err
	}
	start := time.Now()
	if err := d.run(ctx, counting); err != nil {
		return 0, err
	}
	into.elapsed = time.Since(start)
	ended, err := b.read()
	if err != nil {
		return 0, err
	}
	if backlog, err = b.sys.settle(ctx); err != nil {
		return 0, err
	}
	settled, err := b.sys.account()
	if err != nil {
		return 0, err
	}
	meanwhile := account{}
	meanwhile.charge(before.servers, ended.servers)
	into.servers.charge(before.servers, settled)
	into.generator = ended.generator.minus(before.generator)
	into.machine = machine{ended.machine.busy - before.machine.busy, ended.machine.idle - before.machine.idle}
	into.ours = meanwhile.total().total() + into.generator.total()
	return backlog, nil
}

// meters are all processor times at one moment.
type meters struct {
	servers   account
	generator cpu
	machine   machine
}

func (b *bench) read() (m meters, err error) {
	if m.servers, err = b.sys.account(); err != nil {
		return m, err
	}
	if m.generator, err = own(); err != nil {
		return m, err
	}
	m.machine, err = readMachine()
	return m, err
}

func (p *phase) join(slice *phase) {
	p.merge(slice.tally)
	p.elapsed += slice.elapsed
	p.servers.charge(account{}, slice.servers)
	p.generator = p.generator.plus(slice.generator)
	p.machine.busy += slice.machine.busy
	p.machine.idle += slice.machine.idle
	p.ours += slice.ours
}

// verify reads back what was checked out.
func (b *bench) verify(ctx context.Context, at *point, orders []order) error {
	b.live.say("%d clients: reading %d orders back", at.clients, len(orders))
	paid, wrong, err := b.fix.verify(ctx, orders)
	at.sent += len(orders)
	at.paid += paid
	at.findings.join(wrong)
	return err
}
