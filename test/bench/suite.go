package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

// suite is everything that `make bench` measures.
type suite struct {
	report
	closed, items []*point
	shards        []shardPoint
	open          []*openPoint
	openClients   int
	simples       []*simplePoint
	refused, paid *phase
	bulks         []bulk
	bulkOf        int
	memory        map[string]int64
}

// shardPoint is a point on a system with so many shards of each service. They are measured under two loads: as many clients in all,
// which leaves each shard less to do at once, and as many for each, which is what shards are added for. All systems are up and measured
// in turn: what the host does meanwhile happens to each of them.
type shardPoint struct {
	shards int
	*point
}

// What the suite measures. Counts are a few seconds of work each on the machine that the bars of the project are met on; a
// tenth of them, with -quick, is enough to see that everything works.
var (
	closedClients = []int{1, 16, 64, 256, 512}
	closedCounts  = []int{1000, 5000, 12000, 16000, 16000}
	openShares    = []float64{0.25, 0.5, 0.75, 0.9}
	itemCounts    = map[int]int{1: 8000, 5: 5000, 20: 2400, 50: 1000}
	shardCounts   = []int{1, 2, 4}
)

const (
	busyClients   = 256
	openCount     = 12000
	shardRounds   = 3
	shardsCount   = 5000 // in each round
	refusalsCount = 6000
	bulkCount     = 100_000
	quickly       = 20 // times less, with -quick
)

// measureSuite measures everything, on systems of its own.
func measureSuite(ctx context.Context, o options, live *live) (*suite, error) {
	s := &suite{report: report{command: o.command(), date: time.Now()}, openClients: 2 * busyClients, bulkOf: bulkCount}
	scale := func(n int) int {
		if o.quick {
			return max(n/quickly, busyClients)
		}
		return n
	}
	counts := shardCounts
	if o.quick {
		counts = shardCounts[:2]
	}
	err := onSystems(ctx, o, []int{1}, live, func(b []*bench) error { return s.measureFirst(ctx, b[0], o, scale) })
	if err != nil {
		return nil, err
	}
	err = onSystems(ctx, o, counts, live, func(b []*bench) error { return s.measureShards(ctx, b, counts, scale) })
	return s, err
}

// onSystems measures on systems with so many shards of each service.
func onSystems(ctx context.Context, o options, shards []int, live *live, measure func([]*bench) error) (err error) {
	var all []*bench
	closing := func(what interface{ close() error }) { err = errors.Join(err, what.close()) }
	for _, n := range shards {
		sys, failed := startSystem(ctx, o.machines, n, o.dir, live)
		if failed != nil {
			return failed
		}
		defer closing(sys)
		fix, failed := newFixture(ctx, sys.gateway, idsUUID, o.users, o.stock, 1)
		if failed != nil {
			return failed
		}
		defer closing(fix)
		all = append(all, &bench{sys: sys, fix: fix, live: live, quick: o.quick})
	}
	return measure(all)
}

func (s *suite) measureShards(ctx context.Context, systems []*bench, shards []int, scale func(int) int) error {
	for round := range shardRounds {
		next := 0
		for i, b := range systems {
			b.live.say("%d shards of each service, round %d of %d", shards[i], round+1, shardRounds)
			for _, clients := range slices.Compact([]int{busyClients, busyClients * shards[i]}) {
				at, err := b.measure(ctx, plan{clients, scale(shardsCount), 1, ""})
				if err != nil {
					return err
				}
				if round == 0 {
					s.shards = append(s.shards, shardPoint{shards[i], at})
				} else {
					s.shards[next].join(at)
				}
				next++
			}
		}
	}
	return nil
}

// sharded are the points of all numbers of shards under one load: so many clients in all, or so many for each shard.
func (s *suite) sharded(each bool) (points []shardPoint) {
	for _, p := range s.shards {
		clients := busyClients
		if each {
			clients *= p.shards
		}
		if p.clients == clients {
			points = append(points, p)
		}
	}
	return points
}

// measureFirst measures all that needs one shard of each service.
func (s *suite) measureFirst(ctx context.Context, b *bench, o options, scale func(int) int) error {
	s.fixed = describe(ctx, b.sys)
	floor, err := measureFloors(ctx, b.sys.stack.Dir(), b.sys.stack.RedisAddrs("order")[0])
	if err != nil {
		return err
	}
	s.floors = &floor
	for i, clients := range closedClients {
		at, err := b.measure(ctx, plan{clients, scale(closedCounts[i]), o.slices, ""})
		if err != nil {
			return fmt.Errorf("%d clients: %w", clients, err)
		}
		s.closed = append(s.closed, at)
	}
	for _, share := range openShares {
		rate := share * s.at(busyClients).work.rate()
		at, err := b.open(ctx, s.openClients, scale(int(share*openCount)), share, rate)
		if err != nil {
			return err
		}
		s.open = append(s.open, at)
	}
	for _, lines := range []int{1, 5, 20, 50} {
		b.fix.lines = lines
		b.live.say("%d items in each order", lines)
		at, err := b.measure(ctx, plan{64, scale(itemCounts[lines]), 2, ""})
		if err != nil {
			return fmt.Errorf("%d items: %w", lines, err)
		}
		s.items = append(s.items, at)
	}
	b.fix.lines = 1
	// From here on not everything is read back: the stock that is added by hand, the orders that are made anew.
	if s.refused, s.paid, err = b.refusals(ctx, 64, scale(refusalsCount), 3); err != nil {
		return fmt.Errorf("refusals: %w", err)
	}
	if s.simples, err = b.simples(ctx, busyClients, 2); err != nil {
		return fmt.Errorf("simple requests: %w", err)
	}
	if s.memory, err = b.sys.memory(); err != nil {
		return err
	}
	s.bulkOf = scale(bulkCount)
	s.bulks, err = b.bulks(ctx, s.bulkOf)
	return err
}

// at is the point of the closed loop with so many clients.
func (s *suite) at(clients int) *point {
	return s.closed[slices.IndexFunc(s.closed, func(p *point) bool { return p.clients == clients })]
}

// ok says that every checkout that counts succeeded, and that everything adds up.
func (s *suite) ok() bool {
	for _, p := range s.points() {
		if !p.ok() {
			return false
		}
	}
	return !slices.ContainsFunc(s.open, func(p *openPoint) bool { return !p.work.allOK() })
}

func (s *suite) points() []*point {
	all := slices.Concat(s.closed, s.items)
	for _, p := range s.shards {
		all = append(all, p.point)
	}
	return all
}

// write writes the report, the plots and the figures into dir.
func (s *suite) write(dir string) error {
	errs := []error{s.figures().write(filepath.Join(dir, "figures.json"))}
	for name, c := range s.charts() {
		errs = append(errs, c.write(filepath.Join(dir, name+".svg")))
	}
	return errors.Join(errs...)
}
