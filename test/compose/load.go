package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"checkout/test/check"
	"checkout/test/shop"
)

const (
	clients  = 16
	loadOnly = 2 * time.Second // duration of load before and after each action
)

// openShop creates the users and items for the clients. The system must be empty: if a batch_init has overwritten paid
// orders, an audit reports violations for these orders.
func (r *run) openShop(ctx context.Context) error {
	if r.shop != nil {
		r.shop.Client.Close()
	}
	return check.Poll(ctx, recoveryTimeout, func(context.Context) (err error) {
		client := check.NewClient(r.project.gatewayURL())
		client.GatewayMayFail = true
		r.shop, err = shop.Fill(client, shop.Behavior{Clients: clients, CancelRate: 0.2})
		return err
	})
}

// audit compares the system with the responses that the clients received since the last audit.
func (r *run) audit(ctx context.Context) (shop.Audit, error) {
	shards, err := r.project.openShards(ctx)
	if err != nil {
		return shop.Audit{}, err
	}
	defer shards.Close()
	a, err := r.shop.Audit(ctx, shards)
	if err != nil {
		return a, err
	}
	err = a.Err()
	r.shop.Forget(a.Snapshot)
	return a, err
}

// stillWorks checks that the system works. It pays one order, waits until every container is healthy, and audits the
// system. It returns the time until the order was paid.
func (r *run) stillWorks(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	if err := r.shop.Buy(ctx, recoveryTimeout); err != nil {
		return 0, err
	}
	took := time.Since(began)
	if err := r.project.waitHealthy(ctx); err != nil {
		return took, err
	}
	_, err := r.audit(ctx)
	return took, err
}

// underLoad performs an action while clients check orders out. When every container is healthy again, it stops the
// clients, audits the system, and prints the longest time without a paid checkout.
func (r *run) underLoad(ctx context.Context, what string, do func() error) error {
	began := time.Now()
	r.shop.Start(func(client uint64) *rand.Rand { return rand.New(rand.NewPCG(client, uint64(began.UnixNano()))) })
	time.Sleep(loadOnly)
	err := do()
	if err == nil {
		err = r.project.waitHealthy(ctx)
	}
	time.Sleep(loadOnly)
	ended := time.Now()
	r.shop.Stop()
	paid, last, pause := 0, began, time.Duration(0)
	for _, t := range append(r.shop.PaidTimes(), ended) {
		if t.After(began) {
			paid, pause, last = paid+1, max(pause, t.Sub(last)), t
		}
	}
	summary := r.shop.Summary()
	a, auditErr := r.audit(ctx)
	if err = errors.Join(err, auditErr); err != nil {
		return fmt.Errorf("%s under load: %w\n%s", what, err, summary)
	}
	if paid--; paid == 0 {
		return fmt.Errorf("%s under load: no checkout was paid\n%s", what, summary)
	}
	r.Logf("%s: longest time without a paid checkout %.1f s of %.1f s; %d paid; %v",
		what, pause.Seconds(), ended.Sub(began).Seconds(), paid, a)
	return nil
}

// killsUnderLoad kills the last instance and the last shard of each service, and then the gateway, one after another.
func (r *run) killsUnderLoad(ctx context.Context) error {
	var victims []string
	for _, service := range services {
		victims = append(victims, nth(service, r.project.instances), nth(service+"-redis", r.project.shards))
	}
	for _, victim := range append(victims, gateway) {
		if err := r.underLoad(ctx, "SIGKILL of "+victim, func() error { return r.project.kill(ctx, victim) }); err != nil {
			return err
		}
	}
	return nil
}

// everyPartWorks checks that the gateway uses every instance, and that every shard receives new objects.
func (r *run) everyPartWorks(ctx context.Context) error {
	instances := map[string]bool{}
	for _, path := range []string{"/orders/ping", "/stock/ping", "/payment/ping"} {
		for range 4 * r.project.instances {
			response := r.shop.Client.Call("GET", path)
			if !response.OK() {
				return fmt.Errorf("GET %s: %v", path, response)
			}
			instances[path+" "+response.Field("machine")] = true
		}
	}
	if len(instances) != len(services)*r.project.instances {
		return fmt.Errorf("ping %d instances of each service: got responses only from %v", r.project.instances, instances)
	}
	return r.shop.AwaitShards(ctx, r.project.shards, recoveryTimeout)
}
