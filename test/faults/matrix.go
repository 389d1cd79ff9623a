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

// matrixScenario combines every step of the protocol with every action of a fail point.
var matrixScenario = scenario{
	name: "matrix", run: runMatrix, sizes: []stack.Size{{Instances: 2, Shards: 2}}, waits: true,
	about: "At every step of coordinator, participant and recovery, the process is killed, or is paused for longer than " +
		"the lease or claim, or loses its reply",
}

const (
	pauseForGood = 13 * time.Second // longer than a coordinator's total budget, so that recovery takes over
	cellTimeout  = time.Minute      // time for all tries of a cell; a try fails if an unarmed instance runs the step
	retryPause   = 100 * time.Millisecond
	pointTimeout = 20 * time.Second // maximum time until an order reaches the point, possibly during recovery
)

// matrixRun is the state of the scenario.
type matrixRun struct {
	*system
	points  *failPoints
	orders  *testOrders
	trial   *trial
	sending sync.WaitGroup // requests in flight
	starts  sync.WaitGroup // instances that are restarting

	mu     sync.Mutex
	counts map[string]int // number of visits, by point and action
	failed error          // errors of the test itself
}

// runMatrix visits every point with every action. It first injects all pauses and lost replies concurrently, and then
// the kills. In each service, it kills at one point at a time. Only the points that need a paused coordinator (see
// matrixPoint.after) are all visited concurrently.
func runMatrix(ctx context.Context, tr *trial) (err error) {
	m := &matrixRun{trial: tr, counts: map[string]int{}}
	one := stack.Size{Instances: 1, Shards: tr.size.Shards}
	cfg := stack.Config{OnExit: m.restart, Sizes: map[string]stack.Size{"stock": one, "payment": one}}
	folder, err := withFailPoints(&cfg)
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if m.system, err = tr.launch(ctx, cfg); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	if err := m.ready(ctx); err != nil {
		return err
	}
	m.points, m.orders = newFailPoints(m.Stack, folder), newTestOrders(m.shards, tr.random("orders", 0))

	where := func(matches func(matrixPoint) bool) []matrixPoint {
		return slices.DeleteFunc(matrixPoints(), func(p matrixPoint) bool { return !matches(p) })
	}
	m.visitTogether(ctx, matrixPoints(), actionPause, actionLose)
	var killing sync.WaitGroup
	for _, service := range []string{"stock", "payment", "order"} {
		points := where(func(p matrixPoint) bool { return p.service == service && p.after == "" })
		killing.Go(func() {
			for _, p := range points {
				m.visit(ctx, p, actionKill)
			}
		})
	}
	killing.Go(func() { m.visitTogether(ctx, where(func(p matrixPoint) bool { return p.after != "" }), actionKill) })
	killing.Wait()

	m.sending.Wait()
	m.starts.Wait()
	ready := check.Poll(ctx, readyWithin, m.ready) // an instance may have been killed just now
	if err := errors.Join(ctx.Err(), m.failure(), ready); err != nil {
		return err
	}
	m.settle(ctx)
	violations, err := m.orders.violations(ctx)
	for _, violation := range violations {
		tr.violate("%s", violation)
	}
	tr.count("order histories checked", len(m.orders.all))
	m.report()
	return err
}

// visitTogether visits all points with all actions concurrently.
func (m *matrixRun) visitTogether(ctx context.Context, points []matrixPoint, actions ...string) {
	var visiting sync.WaitGroup
	for _, p := range points {
		for _, action := range actions {
			visiting.Go(func() { m.visit(ctx, p, action) })
		}
	}
	visiting.Wait()
}

// visit arms a fail point and sends requests for new orders until the point fires.
func (m *matrixRun) visit(ctx context.Context, p matrixPoint, action string) {
	for try, until := 1, time.Now().Add(cellTimeout); time.Now().Before(until) && ctx.Err() == nil; try++ {
		name := fmt.Sprintf("%s, %s, try %d", p.name, action, try)
		fired, err := m.try(ctx, p, action, name)
		if err != nil {
			m.fail(fmt.Errorf("%s: %w", name, err))
			return
		}
		if fired {
			m.mu.Lock()
			m.counts[p.name+" "+action]++
			m.mu.Unlock()
			return
		}
		sleep(ctx, retryPause)
	}
}

// try arms a fail point, sends the request for one new order, and reports whether the point fired. In half of the
// cases, the client then retries the request until it knows the outcome. In the other cases, the client does not
// retry, and recovery completes the order if it is still undecided.
func (m *matrixRun) try(ctx context.Context, p matrixPoint, action, name string) (fired bool, err error) {
	o, err := m.orders.create(ctx, p.kind)
	if err != nil {
		return false, err
	}
	if p.kind == kindCancelled && !o.pay(m.Client) {
		return false, nil // another fault prevented the payment
	}
	instances, paused := m.points.instances(p.service), name+", paused for good"
	if p.after != "" {
		coordinator := armedPoint{
			Name: paused, Point: p.after, About: aboutOf("order", p.after)(o),
			Action: actionPause, PauseMS: pauseForGood.Milliseconds(),
		}
		if err := m.points.arm(ctx, coordinator, m.points.instances("order")...); err != nil {
			return false, err
		}
		defer m.points.disarm(ctx, paused, m.points.instances("order")...)
	} else if action == actionKill {
		// Arm only one instance, so that the gateway's retry does not kill the other instance.
		instances = instances[m.pick(len(instances)):][:1]
	}
	point := armedPoint{
		Name: name, Point: p.point, About: p.about(o), Action: action, PauseMS: p.pause().Milliseconds(),
	}
	if err := m.points.arm(ctx, point, instances...); err != nil {
		return false, err
	}
	send := func() check.Response { return o.send(m.Client) }
	if p.after != "" && !o.paid { // bypass the gateway, whose retry would do the work of recovery
		instance := m.Client.Instance(m.PublicURLs("order")[m.pick(2)])
		send = func() check.Response { return o.Checkout(instance) }
	}
	responded := make(chan struct{})
	m.sending.Go(func() {
		defer close(responded)
		m.trial.countCheckout(status(send()))
	})
	missed := func() bool { // reports whether the point cannot fire anymore, because the order has passed it
		select {
		case <-responded:
			return p.after == "" && p.about(o) != "" || p.after != "" && m.points.firedAt(paused) == ""
		default:
		}
		return p.after != "" && m.points.firedAt(paused) != "" && m.orders.decided(ctx, o)
	}
	at, err := m.points.wait(ctx, name, pointTimeout, missed)
	if err != nil {
		return false, m.points.disarm(ctx, name, instances...)
	}
	others := slices.DeleteFunc(slices.Clone(instances), func(instance string) bool { return instance == at })
	if err := m.points.disarm(ctx, name, others...); err != nil {
		return true, err
	}
	fault := map[string]string{
		actionKill: "killed at a step", actionPause: "paused at a step", actionLose: "reply of a step lost",
	}[action]
	defer m.trial.inject(fault, p.name)()
	if action == actionPause {
		sleep(ctx, p.pause())
	}
	if m.pick(2) == 0 {
		m.sending.Go(func() {
			<-responded
			m.trial.countCheckout(status(o.sendUntilKnown(m.Client)))
		})
	}
	return true, nil
}

// pick returns a random number in [0, n).
func (m *matrixRun) pick(n int) int {
	m.orders.mu.Lock()
	defer m.orders.mu.Unlock()
	return m.orders.random.IntN(n)
}

func (m *matrixRun) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failed = errors.Join(m.failed, err)
}

func (m *matrixRun) failure() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.failed
}

// restart restarts an instance that a fail point killed. The instance's other fail points stay armed.
func (m *matrixRun) restart(instance string, how error) {
	if how.Error() != "signal: killed" {
		m.trial.violate("%s exited: %v", instance, how)
	}
	m.starts.Go(func() {
		ctx := context.Background()
		err := errors.New("not started yet")
		for try := 0; err != nil && try < 10; try++ { // another fail point may kill the instance again
			time.Sleep(time.Duration(m.pick(200)) * time.Millisecond)
			if err = m.points.persist(instance, "", nil); err == nil {
				err = m.Start(ctx, instance)
			}
		}
		if err != nil {
			m.fail(err)
		}
	})
}

// report adds the matrix to the report. A cell without a visit is a violation.
func (m *matrixRun) report() {
	var b strings.Builder
	b.WriteString(row("fail point", "killed", "paused", "reply lost") + row("---", "---:", "---:", "---:"))
	for _, p := range matrixPoints() {
		cells := []string{p.name}
		for _, action := range []string{actionKill, actionPause, actionLose} {
			n := m.counts[p.name+" "+action]
			if n == 0 {
				m.trial.violate("fail point %s with action %s: never visited", p.name, action)
			}
			cells = append(cells, fmt.Sprint(n))
		}
		b.WriteString(row(cells...))
	}
	m.trial.note("%s", strings.TrimSuffix(b.String(), "\n"))
}
