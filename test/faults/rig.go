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

// interleaving is a short run on a rig. Fail points force the sequence of events.
type interleaving struct {
	name string
	run  runFunc
}

// runFunc runs an interleaving. It returns an error if the intended events did not happen.
type runFunc func(ctx context.Context, s *rig) error

// rig is the small system for an interleaving. It has two order instances, so that two coordinators can compete. The
// rig has two stock shards, so that one shard can reserve while the other shard refuses. If the shards are replicated,
// the rig has two stock instances and one stock shard instead.
type rig struct {
	*system
	orders  *testOrders
	points  *failPoints
	source  sources
	proxies *proxies // only set if the shards are replicated
	direct  bool     // checkouts do not pass through the gateway

	mu         sync.Mutex
	violations []string
	armed      int // number of fail points armed so far
	sending    sync.WaitGroup
}

const (
	eventTimeout  = 20 * time.Second // maximum time until one event of an interleaving
	settleTimeout = 15 * time.Second // for each wait: until all orders are decided, then until all are confirmed
)

// runInterleaving builds a system from the sources, runs an interleaving on it, and returns the violations. If keep is
// true, runInterleaving keeps the files of the system after an error or a violation.
func (tr *trial) runInterleaving(
	ctx context.Context, il *interleaving, source sources, keep bool, redisArgs ...string,
) (violations []string, err error) {
	s := &rig{source: source}
	cfg := stack.Config{RedisArgs: redisArgs, Sizes: map[string]stack.Size{
		"order": {Instances: 2, Shards: 1}, "stock": {Instances: 1, Shards: 2}, "payment": {Instances: 1, Shards: 1},
	}}
	cfg.OnExit = func(name string, how error) { s.violate("%s exited: %v", name, how) }
	if il.replicated() {
		s.proxies = newProxies(tr.random)
		defer s.proxies.close()
		cfg.Proxy, cfg.Replicas = s.proxies.insert, stack.Copies
		cfg.Sizes["stock"] = stack.Size{Instances: 2, Shards: 1}
	}
	folder, err := withFailPoints(&cfg)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	if err := source.configure(&cfg, folder); err != nil {
		return nil, err
	}
	if s.system, err = tr.start(ctx, cfg); err != nil {
		return nil, err
	}
	defer func() {
		if keep && (err != nil || len(violations) > 0) {
			s.keep()
		}
		err = errors.Join(err, s.close())
	}()
	s.points, s.orders = newFailPoints(s.Stack, folder), newTestOrders(s.shards, tr.random(il.name, 0))
	if err := errors.Join(il.run(ctx, s), ctx.Err()); err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		return slices.Clone(s.violations), err
	}
	return s.finish(ctx)
}

// finish resumes all paused steps, waits until all orders are decided and confirmed, and returns the violations.
func (s *rig) finish(ctx context.Context) ([]string, error) {
	for _, service := range stack.Services() {
		for _, instance := range s.points.instances(service) {
			s.points.call(ctx, "DELETE", instance, "", nil)
		}
	}
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	s.sending.Wait()
	if err := check.Poll(ctx, settleTimeout, s.shards.CheckDecided); err != nil {
		s.violate("not everything is decided: %v", err)
	} else if err := check.Poll(ctx, settleTimeout, s.shards.CheckConfirmed); err != nil {
		s.violate("not everything is confirmed: %v", err)
	}
	violations, err := s.orders.violations(ctx, func(sn *check.Snapshot) {
		sn.RecordRetention = shortRecordRetention
	})
	if err != nil {
		return nil, err
	}
	leaks, err := s.leaks(ctx, s.usageLimit(clients), func(usage) {})
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Concat(s.violations, violations, leaks), err
}

// violate records a violation.
func (s *rig) violate(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.violations = append(s.violations, fmt.Sprintf(format, args...))
}

// send sends an order's request in the background. When the response arrives, send compares the response with
// Redis.
func (s *rig) send(ctx context.Context, o *testOrder) (response chan check.Response) {
	response = make(chan check.Response, 1)
	s.sending.Go(func() {
		r := s.request(o)
		s.checkResponse(ctx, o, r)
		response <- r
	})
	return response
}

// request sends an order's request through the gateway. If s.direct is true, it sends a checkout directly to the first
// order instance.
func (s *rig) request(o *testOrder) check.Response {
	if s.direct && !o.paid {
		return o.Checkout(s.Client.Instance(s.PublicURLs("order")[0]))
	}
	return o.send(s.Client)
}

// checkResponse compares the response to a checkout with Redis. After a 200 the order must be PAID. After a 4xx the
// order must not be RUNNING or ABORTING. If the order is OPEN after a 4xx, its attempt must hold no reservation.
func (s *rig) checkResponse(ctx context.Context, o *testOrder, r check.Response) {
	stored, holds, err := s.inspect(ctx, o)
	switch {
	case err != nil || o.paid || r.Unknown():
	case r.OK() && stored.State != "PAID":
		s.violate("the client got 200, but the order is %s, want PAID", stored.State)
	case r.Refused() && (stored.State == "RUNNING" || stored.State == "ABORTING"):
		s.violate("the client got %d, but the order is %s, want a decided state", r.Status, stored.State)
	case r.Refused() && stored.State == "OPEN" && len(holds["payment"])+len(holds["stock"]) > 0:
		s.violate("the client got %d, but the attempt holds %v, want no reservations", r.Status, holds)
	}
}

// inspect reads an order from Redis. It also returns the keys of the RESERVED records of the order's attempt, by
// service.
func (s *rig) inspect(ctx context.Context, o *testOrder) (stored check.Order, holds map[string][]string, err error) {
	sn, err := s.shards.Snapshot(ctx)
	if err != nil {
		return check.Order{}, nil, err
	}
	stored, holds = sn.Orders[o.Order], map[string][]string{}
	for key, r := range sn.Records {
		if r.Attempt == stored.Attempt && !r.Refund && r.Code == check.Reserved {
			service := map[string]string{"{p": "payment", "{s": "stock"}[key[:2]]
			holds[service] = append(holds[service], key)
		}
	}
	return stored, holds, nil
}

// create creates an order. If k is kindCancelled, create also pays the order, so that the test can cancel it.
func (s *rig) create(ctx context.Context, k kind) (*testOrder, error) {
	o, err := s.orders.create(ctx, k)
	if err == nil && k == kindCancelled && !o.pay(s.Client) {
		err = fmt.Errorf("pay order %s: not paid; requests:\n%s", o.Order, o.String())
	}
	return o, err
}

// heldOrder is an order whose request has reached its fail points.
type heldOrder struct {
	*testOrder
	points   []string // names of the fail points
	first    string   // instance on which points[0] fired
	response chan check.Response
}

// holdAt creates an order, arms fail points, sends the order's request, and waits until all points have fired. The
// name of a point contains its service, as in "payment: participant reserve received".
func (s *rig) holdAt(ctx context.Context, k kind, action string, points ...string) (*heldOrder, error) {
	o, err := s.create(ctx, k)
	if err != nil {
		return nil, err
	}
	h := &heldOrder{testOrder: o}
	for _, point := range points {
		service, point, _ := strings.Cut(point, ": ")
		name, err := s.arm(ctx, action, service, point, aboutOf(service, point)(o))
		if err != nil {
			return nil, err
		}
		h.points = append(h.points, name)
	}
	h.response = s.send(ctx, o)
	for i, name := range h.points {
		instance, err := s.waitFired(ctx, name)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			h.first = instance
		}
	}
	return h, nil
}

// holdBeforeCommit sends the checkout of a new order and pauses the coordinator twice: after the reservation of stock,
// and after the second reservation of the credit, just before the commit. The first pause lasts longer than 100 ms,
// because the coordinator might otherwise not reserve the credit again.
func (s *rig) holdBeforeCommit(ctx context.Context) (*heldOrder, error) {
	h, err := s.holdAt(ctx, kindPaid, actionPause, "order: coordinator reserve stock")
	if err != nil {
		return nil, err
	}
	repeated, err := s.arm(ctx, actionPause, "order", "coordinator reserve payment", h.User)
	if err != nil {
		return nil, err
	}
	sleep(ctx, 200*time.Millisecond) // make the first reservation of the credit older than 100 ms
	if err := s.resume(ctx, h.points[0]); err != nil {
		return nil, err
	}
	h.points = []string{repeated}
	h.first, err = s.waitFired(ctx, repeated)
	return h, err
}

// arm arms a fail point on all instances of its service and returns its name.
func (s *rig) arm(ctx context.Context, action, service, point, about string) (string, error) {
	return s.armAt(ctx, 1, action, service, point, about)
}

// armAt arms a fail point that fires when it is reached for the nth time (n = hit). It returns the name of the point.
func (s *rig) armAt(ctx context.Context, hit int, action, service, point, about string) (string, error) {
	s.mu.Lock()
	s.armed++
	name := fmt.Sprintf("%d: %s %s %s", s.armed, service, action, point)
	s.mu.Unlock()
	p := armedPoint{
		Name: name, Point: point, About: about, Action: action, Hit: hit, PauseMS: time.Minute.Milliseconds(),
	}
	return name, s.points.arm(ctx, p, s.points.instances(service)...)
}

// waitFired waits until a fail point fires. It returns the instance on which the point fired.
func (s *rig) waitFired(ctx context.Context, name string) (string, error) {
	return s.points.wait(ctx, name, eventTimeout, func() bool { return false })
}

// resume disarms a fail point and resumes the step that the point paused.
func (s *rig) resume(ctx context.Context, name string) error {
	for _, service := range stack.Services() {
		if strings.Contains(name, ": "+service+" ") {
			return s.points.disarm(ctx, name, s.points.instances(service)...)
		}
	}
	return fmt.Errorf("resume fail point %q: no service in the name", name)
}

// waitState waits until an order is in one of the states.
func (s *rig) waitState(ctx context.Context, o *testOrder, states ...string) error {
	return check.Poll(ctx, eventTimeout, func(ctx context.Context) error {
		state, err := s.orders.state(ctx, o)
		if err == nil && !slices.Contains(states, state) {
			err = fmt.Errorf("order %s is %s", o.Order, state)
		}
		return err
	})
}

// restart kills and restarts instances.
func (s *rig) restart(ctx context.Context, instances ...string) error {
	return errors.Join(s.kill(instances...), s.start(ctx, instances...))
}

func (s *rig) kill(instances ...string) error { return each(instances, s.Kill) }

func (s *rig) start(ctx context.Context, instances ...string) error {
	return each(instances, func(instance string) error {
		return errors.Join(s.points.persist(instance, "", nil), s.Start(ctx, instance))
	})
}
