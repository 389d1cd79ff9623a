package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"checkout/common/shard"
	"checkout/test/check"
	"checkout/test/stack"
)

// drill is a short run on a small system, in which fail points bring about just one turn of events.
type drill struct {
	name string
	play func(ctx context.Context, s *stage) error // an error: it did not come to what is meant
}

// stage is the small system of a drill: two machines of order, for two coordinators; two shards of stock, for a cart of which one
// shard reserves and the other refuses.
type stage struct {
	*system
	baskets *baskets
	points  *points
	source  sources

	mu     sync.Mutex
	broken []string // promises, as they were seen to be broken
	asking sync.WaitGroup
	names  int
}

const (
	drillWithin  = 20 * time.Second // for one thing to happen in a drill
	settleWithin = 15 * time.Second // for everything to be decided at its end, with quick times
)

// perform plays a drill on a system that is built from the sources, and tells which promises it has broken.
func (tr *trial) perform(ctx context.Context, d *drill, source sources, redisArgs ...string) (broken []string, err error) {
	s := &stage{source: source}
	cfg := stack.Config{RedisArgs: redisArgs, Sizes: map[string]stack.Size{
		"order": {Instances: 2, Shards: 1}, "stock": {Instances: 1, Shards: 2}, "payment": {Instances: 1, Shards: 1},
	}}
	cfg.OnExit = func(name string, how error) { s.say("%s ended by itself: %v", name, how) }
	folder, err := withPoints(&cfg)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	if err := source.put(&cfg, folder); err != nil {
		return nil, err
	}
	if s.system, err = tr.start(ctx, cfg); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	s.points, s.baskets = newPoints(s.Stack, folder), newBaskets(s.shards, tr.dice(d.name, 0))
	if err := errors.Join(d.play(ctx, s), ctx.Err()); err != nil {
		return nil, err
	}
	return s.end(ctx)
}

// end lets everybody go on who is paused, waits until all is quiet, and tells which promises are broken.
func (s *stage) end(ctx context.Context) ([]string, error) {
	for _, service := range stack.Services() {
		for _, machine := range s.points.machines(service) {
			s.points.call(ctx, "DELETE", machine, "", nil)
		}
	}
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	s.asking.Wait()
	if err := check.Poll(ctx, settleWithin, s.shards.CheckDecided); err != nil {
		s.say("not everything is decided: %v", err)
	} else if err := check.Poll(ctx, settleWithin, s.shards.CheckConfirmed); err != nil {
		s.say("not everything is confirmed: %v", err)
	}
	found, err := s.baskets.found(ctx, func(sn *check.Snapshot) { sn.RecordRetention = quickRecordsKept * time.Millisecond })
	if err != nil {
		return nil, err
	}
	leaks, err := s.leaks(ctx, s.mayHold(buyers), func(holding) {})
	return slices.Concat(s.broken, found, leaks), err
}

// say tells of a promise that is seen to be broken.
func (s *stage) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = append(s.broken, fmt.Sprintf(format, args...))
}

// ask sends what a basket begins with, and judges the answer at the moment at which it comes.
func (s *stage) ask(ctx context.Context, b *basket) (answered chan check.Response) {
	answered = make(chan check.Response, 1)
	s.asking.Go(func() {
		a := b.ask(s.Client)
		s.judge(ctx, b, a)
		answered <- a
	})
	return answered
}

// judge looks whether an answer to a checkout is true now: 200 says that the order is paid, 4xx that its attempt holds nothing.
func (s *stage) judge(ctx context.Context, b *basket, a check.Response) {
	o, records, err := s.look(ctx, b)
	switch {
	case err != nil || b.paid || a.Unknown():
	case a.OK() && o.State != "PAID":
		s.say("200 was answered, and the order is %s", o.State)
	case a.Refused() && (o.State == "RUNNING" || o.State == "ABORTING"):
		s.say("%d was answered, and the order is %s", a.Status, o.State)
	case a.Refused() && o.State == "OPEN" && len(records["payment"])+len(records["stock"]) > 0:
		s.say("%d was answered, and the attempt holds %v", a.Status, records)
	}
}

// look reads how a basket's order stands, and what its attempt holds, by service.
func (s *stage) look(ctx context.Context, b *basket) (check.Order, map[string][]string, error) {
	sn, err := s.shards.Snapshot(ctx)
	if err != nil {
		return check.Order{}, nil, err
	}
	o, holds := sn.Orders[b.Order], map[string][]string{}
	for key, r := range sn.Records {
		if r.Attempt == o.Attempt && !r.Refund && r.Code == check.Reserved {
			service := map[string]string{"{p": "payment", "{s": "stock"}[key[:2]]
			holds[service] = append(holds[service], key)
		}
	}
	return o, holds, nil
}

// lay lays out a basket; one that is to be cancelled is paid.
func (s *stage) lay(ctx context.Context, k kind) (*basket, error) {
	b, err := s.baskets.lay(ctx, k)
	if err == nil && k == cancels && !b.pay(s.Client) {
		err = fmt.Errorf("order %s was not paid: %s", b.Order, b.String())
	}
	return b, err
}

// caught is a basket whose way was begun, and has come to the points at which it was to be caught.
type caught struct {
	*basket
	points   []string // by the names that arm has given them
	first    string   // the machine at the first of them
	answered chan check.Response
}

// catch lays out a basket, arms points for it, begins its way, and waits until it has come to all of them. A point is named with its
// service, as in "payment: participant reserve received".
func (s *stage) catch(ctx context.Context, k kind, action string, points ...string) (*caught, error) {
	b, err := s.lay(ctx, k)
	if err != nil {
		return nil, err
	}
	c := &caught{basket: b}
	for _, point := range points {
		service, point, _ := strings.Cut(point, ": ")
		name, err := s.arm(ctx, action, service, point, aboutAt(service, point)(b))
		if err != nil {
			return nil, err
		}
		c.points = append(c.points, name)
	}
	c.answered = s.ask(ctx, b)
	for i, name := range c.points {
		machine, err := s.meet(ctx, name)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			c.first = machine
		}
	}
	return c, nil
}

// arm arms a point on all machines of its service and returns a name for it.
func (s *stage) arm(ctx context.Context, action, service, point, about string) (string, error) {
	return s.armAt(ctx, 1, action, service, point, about)
}

// armAt arms a point at a step that is not the first.
func (s *stage) armAt(ctx context.Context, hit int, action, service, point, about string) (string, error) {
	s.mu.Lock()
	s.names++
	a := arming{Name: fmt.Sprintf("%d: %s %s %s", s.names, service, action, point), Point: point, About: about, Action: action, Hit: hit, PauseMS: time.Minute.Milliseconds()}
	s.mu.Unlock()
	return a.Name, s.points.arm(ctx, a, s.points.machines(service)...)
}

// meet waits until a point fires and returns the machine.
func (s *stage) meet(ctx context.Context, name string) (string, error) {
	return s.points.wait(ctx, name, drillWithin, func() bool { return false })
}

// goOn lets those go on who are paused at a point, and takes it away.
func (s *stage) goOn(ctx context.Context, name string) error {
	for _, service := range stack.Services() {
		if strings.Contains(name, ": "+service+" ") {
			return s.points.disarm(ctx, name, s.points.machines(service)...)
		}
	}
	return fmt.Errorf("no service in %q", name)
}

// until waits until the basket's order is in one of the states.
func (s *stage) until(ctx context.Context, b *basket, states ...string) error {
	at, _ := shard.Of(b.Order)
	return check.Poll(ctx, drillWithin, func(ctx context.Context) error {
		state, err := s.shards["order"][at].HGet(ctx, fmt.Sprintf("{o%d}o:%s", at, b.Order), "s").Result()
		if err == nil && !slices.Contains(states, state) {
			err = fmt.Errorf("order %s is %s", b.Order, state)
		}
		return err
	})
}

// revive kills machines and starts them again.
func (s *stage) revive(ctx context.Context, machines ...string) error {
	return errors.Join(s.kill(machines...), s.start(ctx, machines...))
}

// kill kills machines, and start starts them again.
func (s *stage) kill(machines ...string) error {
	return s.each(machines, func(machine string) error { return s.Kill(machine) })
}

func (s *stage) start(ctx context.Context, machines ...string) error {
	return s.each(machines, func(machine string) error {
		return errors.Join(s.points.stand(machine, "", nil), s.Start(ctx, machine))
	})
}

func (s *stage) each(machines []string, do func(string) error) error {
	errs := make([]error, len(machines))
	var doing sync.WaitGroup
	for i, machine := range machines {
		doing.Go(func() { errs[i] = do(machine) })
	}
	doing.Wait()
	return errors.Join(errs...)
}
