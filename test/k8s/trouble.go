package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"checkout/test/check"
)

// trouble does something to the system while customers buy, waits until everything is back, and audits. The second number is how
// many requests may fail: those that the machine or the Redis had in hand when it was killed, and no others.
func (r *run) trouble(ctx context.Context, failures int, do func(*crowd) error) error {
	c, err := r.open(ctx)
	if err != nil {
		return err
	}
	err = do(c)
	if err == nil {
		err = c.buys(ctx, 30)
	}
	if closed := c.close(ctx, failures); err == nil {
		err = closed
	}
	return err
}

// killed waits until a pod's container has been started again, and everything is ready.
func (r *run) killed(ctx context.Context, pod, process string) error {
	before, err := r.restarts(ctx)
	if err != nil {
		return err
	}
	if err := r.kill(ctx, pod, process); err != nil {
		return err
	}
	begun := time.Now()
	if err := check.Poll(ctx, returnsAfter, func(ctx context.Context) error {
		now, err := r.restarts(ctx)
		if err == nil && now[pod] == before[pod] {
			err = fmt.Errorf("%s is still %s", pod, now[pod])
		}
		return err
	}); err != nil {
		return err
	}
	if err := r.ready(ctx); err != nil {
		return err
	}
	r.say("%s killed, everything ready after %.1f s", pod, time.Since(begun).Seconds())
	return nil
}

func (r *run) killMachines(ctx context.Context) error {
	return r.trouble(ctx, customers*len(services), func(c *crowd) error {
		for _, service := range services {
			if err := r.killed(ctx, service+"-1", service); err != nil {
				return err
			}
			if err := c.buys(ctx, 30); err != nil {
				return err
			}
		}
		return nil
	})
}

// anyNumber is for the time when a shard is away: what lies on it cannot be had.
const anyNumber = 1 << 30

func (r *run) killRedis(ctx context.Context) error {
	return r.trouble(ctx, anyNumber, func(*crowd) error { return r.killed(ctx, "order-redis-1", "redis-server") })
}

// deleteRedis takes pods away, one by force: others come, elsewhere in the network, with the same volumes.
func (r *run) deleteRedis(ctx context.Context) error {
	return r.trouble(ctx, anyNumber, func(c *crowd) error {
		for pod, how := range map[string][]string{"payment-redis-0": {"--grace-period=0", "--force"}, "stock-redis-1": nil} {
			begun := time.Now()
			if _, err := r.kube(ctx, append([]string{"delete", "pod", pod, "--wait=false"}, how...)...); err != nil {
				return err
			}
			if err := r.ready(ctx); err != nil {
				return err
			}
			r.say("%s taken away %v, everything ready after %.1f s", pod, how, time.Since(begun).Seconds())
			if err := c.buys(ctx, 30); err != nil {
				return err
			}
		}
		return nil
	})
}

// update gives every machine and the gateway another image. No request fails, and no Redis is touched.
func (r *run) update(ctx context.Context) error {
	before, err := r.restarts(ctx)
	if err != nil {
		return err
	}
	return r.trouble(ctx, 0, func(*crowd) error {
		begun := time.Now()
		if err := r.set(ctx, next); err != nil {
			return err
		}
		if err := r.ready(ctx); err != nil {
			return err
		}
		r.say("updated in %.1f s", time.Since(begun).Seconds())
		now, err := r.restarts(ctx)
		if err != nil {
			return err
		}
		for pod := range now {
			if isRedis, same := strings.Contains(pod, "-redis-"), now[pod] == before[pod]; isRedis != same {
				return fmt.Errorf("%s was %s and is %s", pod, before[pod], now[pod])
			}
		}
		return nil
	})
}

// drain empties every node of machines and gateways: with nowhere to go for what was evicted, the budgets keep one of each, which
// serves on. Then the nodes are given back.
func (r *run) drain(ctx context.Context) error {
	names, err := r.kube(ctx, "get", "nodes", "-o", "jsonpath={.items[*].metadata.name}")
	if err != nil {
		return err
	}
	nodes := strings.Fields(names)
	return r.trouble(ctx, 0, func(c *crowd) error {
		defer r.kube(context.WithoutCancel(ctx), append([]string{"uncordon"}, nodes...)...)
		said, err := r.kube(ctx, append(append([]string{"drain"}, nodes...), "--pod-selector", ours+",app.kubernetes.io/name in (order,stock,payment,gateway)",
			"--ignore-daemonsets", "--delete-emptydir-data", "--timeout=45s")...)
		if err == nil || !strings.Contains(said+err.Error(), "disruption budget") {
			return fmt.Errorf("the drain was not stopped by a budget: %w\n%s", err, said)
		}
		pods, err := r.kube(ctx, "get", "pods", "-l", ours, "--field-selector=status.phase=Running", "-o", `jsonpath={range .items[*]}{.metadata.labels.app\.kubernetes\.io/name}{"\n"}{end}`)
		if err != nil {
			return err
		}
		running := map[string]int{}
		for pod := range strings.FieldsSeq(pods) {
			running[pod]++
		}
		r.say("stopped by the budgets; still running: %v", running)
		for _, name := range append([]string{"gateway"}, services...) {
			if running[name] != 1 {
				return fmt.Errorf("%d pods of %s are running, not 1", running[name], name)
			}
		}
		if err := c.buys(ctx, 30); err != nil {
			return err
		}
		begun := time.Now()
		if _, err := r.kube(ctx, append([]string{"uncordon"}, nodes...)...); err != nil {
			return err
		}
		if err := r.ready(ctx); err != nil {
			return err
		}
		r.say("uncordoned: everything ready after %.1f s", time.Since(begun).Seconds())
		return nil
	})
}

var onShard = regexp.MustCompile(`(....)$`)

// grow adds a shard and a machine to each service. What was there is found, and what is new lands on every shard. A machine that does
// not know the new shard yet answers 503 for what lives there, never 404.
func (r *run) grow(ctx context.Context) error {
	return r.trouble(ctx, anyNumber, func(c *crowd) error {
		begun := time.Now()
		if err := r.set(ctx, more); err != nil {
			return err
		}
		if err := r.ready(ctx); err != nil {
			return err
		}
		r.say("grown in %.1f s", time.Since(begun).Seconds())
		for service, create := range map[string][2]string{
			"order": {"/orders/create/" + c.shop.Users[0], "order_id"}, "stock": {"/stock/item/create/1", "item_id"}, "payment": {"/payment/create_user", "user_id"},
		} {
			shards := map[string]int{}
			if err := check.Poll(ctx, returnsAfter, func(context.Context) error {
				a := c.shop.Client.Call("POST", create[0])
				if !a.OK() {
					return fmt.Errorf("%s: %v", create[0], a)
				}
				shards[onShard.FindString(a.Field(create[1]))]++
				if len(shards) < 3 {
					return fmt.Errorf("new ones of %s land on %v", service, shards)
				}
				return nil
			}); err != nil {
				return err
			}
			r.say("new ones of %s land on %v", service, shards)
		}
		return nil
	})
}

// shrink: Helm refuses to take a shard away.
func (r *run) shrink(ctx context.Context) error {
	err := r.set(ctx, next)
	if err == nil || !strings.Contains(err.Error(), "may only grow") {
		return fmt.Errorf("not refused: %w", err)
	}
	return nil
}
