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

	"checkout/test/check"
	"checkout/test/stack"
)

// matrix is the scenario of every step.
var matrix = scenario{
	name: "matrix", about: "every step of coordinator, participant and recovery is visited with each of: the process is killed there, whoever does it " +
		"is paused for longer than the lease, its reply is lost",
	run: runMatrix, sizes: []stack.Size{{Instances: 2, Shards: 2}},
}

const (
	forGood    = 13 * time.Second // longer than a coordinator works: what it had begun is for others
	visitIn    = time.Minute      // a step may be taken by the machine that is not armed; a kill elsewhere may come between
	againAfter = 100 * time.Millisecond
	comesBy    = 20 * time.Second // a lease, claims that were lost by kills elsewhere, and some
)

// visits is a matrix that is being filled.
type visits struct {
	*system
	points  *points
	baskets *baskets
	trial   *trial
	asking  sync.WaitGroup // clients who wait for an answer
	starts  sync.WaitGroup // machines that are being started again

	mu     sync.Mutex
	counts map[string]int // by crossing and action
	failed error          // of the harness
}

// runMatrix visits every cell: pauses and lost replies of the order service at the same time, then those of the participants, then
// kills, one after the other on each service.
func runMatrix(ctx context.Context, tr *trial) (err error) {
	v := &visits{trial: tr, counts: map[string]int{}}
	one := stack.Size{Instances: 1, Shards: tr.size.Shards}
	cfg := stack.Config{OnExit: v.revive, Sizes: map[string]stack.Size{"stock": one, "payment": one}}
	folder, err := withPoints(&cfg)
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if v.system, err = tr.launch(ctx, cfg); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.close()) }()
	if err := v.ready(ctx); err != nil {
		return err
	}
	v.points, v.baskets = newPoints(v.Stack, folder), newBaskets(v.shards, tr.dice("baskets", 0))

	of := func(services ...string) (list []crossing) {
		for _, c := range crossings() {
			for _, service := range services {
				if c.service == service {
					list = append(list, c)
				}
			}
		}
		return list
	}
	v.atOnce(ctx, crossings(), pauseAt, loseAt)
	var killing sync.WaitGroup
	killing.Go(func() { v.inTurn(ctx, of("stock"), killAt) })
	killing.Go(func() { v.inTurn(ctx, of("payment"), killAt) })
	var self, left []crossing
	for _, c := range of("order") {
		if c.after == "" {
			self = append(self, c)
		} else {
			left = append(left, c)
		}
	}
	killing.Go(func() { v.atOnce(ctx, left, killAt) })
	killing.Go(func() { v.inTurn(ctx, self, killAt) })
	killing.Wait()

	v.asking.Wait()
	if err := errors.Join(ctx.Err(), v.failed, check.Poll(ctx, readyWithin, v.ready)); err != nil { // the last kill may be a moment old
		return err
	}
	v.settle(ctx)
	found, err := v.baskets.found(ctx)
	for _, violation := range found {
		tr.violate("%s", violation)
	}
	tr.count("histories checked", len(v.baskets.all))
	v.report()
	return err
}

// atOnce visits all crossings with all actions at the same time.
func (v *visits) atOnce(ctx context.Context, list []crossing, actions ...string) {
	var visiting sync.WaitGroup
	for _, c := range list {
		for _, action := range actions {
			visiting.Go(func() { v.visit(ctx, c, action) })
		}
	}
	visiting.Wait()
}

// inTurn visits crossings one after the other.
func (v *visits) inTurn(ctx context.Context, list []crossing, action string) {
	for _, c := range list {
		v.visit(ctx, c, action)
	}
}

// visit comes by a fail point, with one basket after the other, until it fires.
func (v *visits) visit(ctx context.Context, c crossing, action string) {
	for try, until := 1, time.Now().Add(visitIn); time.Now().Before(until) && ctx.Err() == nil; try++ {
		name := fmt.Sprintf("%s, %s, try %d", c.name, action, try)
		fired, err := v.try(ctx, c, action, name)
		if err != nil {
			v.mu.Lock()
			v.failed = errors.Join(v.failed, fmt.Errorf("%s: %w", name, err))
			v.mu.Unlock()
			return
		}
		if fired {
			v.mu.Lock()
			v.counts[c.name+" "+action]++
			v.mu.Unlock()
			return
		}
		sleep(ctx, againAfter)
	}
}

// try sends one basket by a fail point and tells whether it has fired. Half of the clients ask again until they know; for the others
// it is left to recovery.
func (v *visits) try(ctx context.Context, c crossing, action, name string) (fired bool, err error) {
	b, err := v.baskets.lay(ctx, c.kind)
	if err != nil {
		return false, err
	}
	if c.kind == cancels && !b.pay(v.Client) {
		return false, nil // a fault elsewhere had its attempt given up
	}
	machines, stop := v.points.machines(c.service), name+", stopped for good"
	if c.after != "" {
		stopping := arming{Name: stop, Point: c.after, About: aboutOf(strings.TrimPrefix(c.after, "coordinator "))(b), Action: pauseAt, PauseMS: forGood.Milliseconds()}
		if err := v.points.arm(ctx, stopping, v.points.machines("order")...); err != nil {
			return false, err
		}
		defer v.points.disarm(ctx, stop, v.points.machines("order")...)
	} else if action == killAt {
		machines = machines[v.pick(len(machines)):][:1] // the gateway passes the checkout on to the other
	}
	if err := v.points.arm(ctx, arming{Name: name, Point: c.point, About: c.about(b), Action: action, PauseMS: c.pause().Milliseconds()}, machines...); err != nil {
		return false, err
	}
	answered := make(chan struct{})
	v.asking.Go(func() {
		defer close(answered)
		v.trial.told(status(b.ask(v.Client)))
	})
	over := func() bool {
		select {
		case <-answered:
			return c.after == "" && c.about(b) != ""
		default:
		}
		return c.after != "" && v.points.firedAt(stop) != "" && v.baskets.decided(ctx, b)
	}
	at, err := v.points.wait(ctx, name, comesBy, over)
	if err != nil {
		return false, v.points.disarm(ctx, name, machines...)
	}
	others := slices.DeleteFunc(slices.Clone(machines), func(machine string) bool { return machine == at })
	if err := v.points.disarm(ctx, name, others...); err != nil {
		return true, err
	}
	defer v.trial.inject(map[string]string{killAt: "killed at a step", pauseAt: "paused at a step", loseAt: "reply of a step lost"}[action], c.name)()
	if action == pauseAt {
		sleep(ctx, c.pause())
	}
	if v.pick(2) == 0 {
		v.asking.Go(func() {
			<-answered
			v.trial.told(status(b.insist(v.Client)))
		})
	}
	return true, nil
}

// pick is a number from 0 to n-1.
func (v *visits) pick(n int) int {
	v.baskets.mu.Lock()
	defer v.baskets.mu.Unlock()
	return v.baskets.dice.IntN(n)
}

// revive starts a machine again that has killed itself; what else was armed there still is.
func (v *visits) revive(machine string, how error) {
	if how.Error() != "signal: killed" {
		v.trial.violate("%s ended by itself: %v", machine, how)
	}
	v.starts.Go(func() {
		ctx := context.Background()
		err := errors.New("not started yet")
		for try := 0; err != nil && try < 10; try++ { // it may kill itself again before it is known to have started
			time.Sleep(time.Duration(v.pick(200)) * time.Millisecond) // it is away for a moment
			if err = v.points.stand(machine, "", nil); err == nil {
				err = v.Start(ctx, machine)
			}
		}
		if err != nil {
			v.mu.Lock()
			v.failed = errors.Join(v.failed, err)
			v.mu.Unlock()
		}
	})
}

// report tells how often each cell was visited; one that was not is a violation.
func (v *visits) report() {
	var b strings.Builder
	actions := []string{killAt, pauseAt, loseAt}
	b.WriteString(row("fail point", "killed", "paused", "reply lost") + row("---", "---:", "---:", "---:"))
	for _, c := range crossings() {
		cells := []string{c.name}
		for _, action := range actions {
			n := v.counts[c.name+" "+action]
			if n == 0 {
				v.trial.violate("no visit to: %s, %s", c.name, action)
			}
			cells = append(cells, fmt.Sprint(n))
		}
		b.WriteString(row(cells...))
	}
	v.trial.note("%s", strings.TrimSuffix(b.String(), "\n"))
}
