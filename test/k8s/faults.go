package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"checkout/test/check"
	"checkout/test/shop"
)

// killAndWait kills a process in a pod. It waits until Kubernetes has restarted the pod and all pods are ready.
func (r *run) killAndWait(ctx context.Context, pod, process string) error {
	before, err := r.restarts(ctx)
	if err != nil {
		return err
	}
	if err := r.kill(ctx, pod, process); err != nil {
		return err
	}
	return r.change(ctx, pod+" killed", func() error {
		return check.Poll(ctx, recoveryTimeout, func(ctx context.Context) error {
			now, err := r.restarts(ctx)
			if err == nil && now[pod] == before[pod] {
				err = fmt.Errorf("pod %s has not restarted: UID/restarts are still %q", pod, now[pod])
			}
			return err
		})
	})
}

// killInstances kills one instance of each service under load. For each killed instance, at most one request of each
// client may fail: the request in flight.
func (r *run) killInstances(ctx context.Context) error {
	return r.underLoad(ctx, clients*len(services), func(s *shop.Shop) error {
		for _, service := range services {
			pod, err := r.instance(ctx, service, 1)
			if err != nil {
				return err
			}
			if err := r.killAndWait(ctx, pod, service); err != nil {
				return err
			}
			if err := s.AwaitDecided(ctx, buys, recoveryTimeout); err != nil {
				return err
			}
		}
		return nil
	})
}

// anyNumber allows every request to fail, for steps during which a shard is unavailable.
const anyNumber = math.MaxInt

// killRedis kills a Redis, or a Valkey, under load.
func (r *run) killRedis(ctx context.Context) error {
	process, err := r.kube(ctx, "exec", "order-redis-1", "--", "cat", "/proc/1/comm")
	if err != nil {
		return err
	}
	return r.underLoad(ctx, anyNumber,
		func(*shop.Shop) error { return r.killAndWait(ctx, "order-redis-1", process) })
}

// deleteRedis deletes two Redis pods under load, one of them by force. The new pods get other addresses and the same
// volumes.
func (r *run) deleteRedis(ctx context.Context) error {
	return r.underLoad(ctx, anyNumber, func(s *shop.Shop) error {
		for pod, options := range map[string][]string{"payment-redis-0": {"--grace-period=0", "--force"},
			"stock-redis-1": nil} {
			err := r.change(ctx, fmt.Sprint(pod, " deleted ", options), func() error {
				_, err := r.kube(ctx, append([]string{"delete", "pod", pod, "--wait=false"}, options...)...)
				return err
			})
			if err != nil {
				return err
			}
			if err := s.AwaitDecided(ctx, buys, recoveryTimeout); err != nil {
				return err
			}
		}
		return nil
	})
}

// update updates the image of every instance and of the gateway under load, with the command in docs/deploy.md. No
// request may fail, and no Redis may restart.
func (r *run) update(ctx context.Context) error {
	return r.replaceInstances(ctx, "image.tag=next")
}

// removeInstances removes an instance of each service under load, with the command in docs/deploy.md. No request may
// fail, and no Redis may restart. The other instances restart, because their variables name all instances.
func (r *run) removeInstances(ctx context.Context) error {
	return r.replaceInstances(ctx, "machines=2")
}

// replaceInstances changes the given values of the chart under load. It checks that the upgrade replaces the pods of
// all instances and gateways, and does not replace or restart a Redis pod. No request may fail.
func (r *run) replaceInstances(ctx context.Context, values string) error {
	before, err := r.restarts(ctx)
	if err != nil {
		return err
	}
	return r.underLoad(ctx, 0, func(*shop.Shop) error {
		if err := r.change(ctx, "upgraded", func() error { return r.reuseValues(ctx, values) }); err != nil {
			return err
		}
		now, err := r.restarts(ctx)
		if err != nil {
			return err
		}
		for pod := range now {
			if isRedis, same := strings.Contains(pod, "-redis-"), now[pod] == before[pod]; isRedis != same {
				return fmt.Errorf("upgrade with %s: want all instances and gateways replaced, and no other pod: "+
					"UID/restarts of pod %s were %q, are %q", values, pod, before[pod], now[pod])
			}
		}
		return nil
	})
}

// drain evicts the instances and gateways from all nodes under load. No node takes new pods, so the
// disruption budgets must keep one pod of each service and of the gateway. No request may fail.
func (r *run) drain(ctx context.Context) error {
	names, err := r.kube(ctx, "get", "nodes", "-o", "jsonpath={.items[*].metadata.name}")
	if err != nil {
		return err
	}
	nodes := strings.Fields(names)
	uncordon := append([]string{"uncordon"}, nodes...)
	return r.underLoad(ctx, 0, func(s *shop.Shop) error {
		defer r.kube(context.WithoutCancel(ctx), uncordon...)
		if err := r.drainNodes(ctx, nodes); err != nil {
			return err
		}
		if err := s.AwaitDecided(ctx, buys, recoveryTimeout); err != nil {
			return err
		}
		return r.change(ctx, "uncordoned", func() error {
			_, err := r.kube(ctx, uncordon...)
			return err
		})
	})
}

// drainNodes drains the nodes until the disruption budgets stop the drain. It checks that one pod of each service and
// of the gateway is left.
func (r *run) drainNodes(ctx context.Context, nodes []string) error {
	args := append(append([]string{"drain"}, nodes...),
		"--pod-selector", ours+",app.kubernetes.io/name in (order,stock,payment,gateway)",
		"--ignore-daemonsets", "--delete-emptydir-data", "--timeout=45s")
	out, err := r.kube(ctx, args...)
	if err == nil || !strings.Contains(out+err.Error(), "disruption budget") {
		return errors.Join(fmt.Errorf("drain: no disruption budget stopped it:\n%s", out), err)
	}
	pods, err := r.kube(ctx, "get", "pods", "-l", ours, "--field-selector=status.phase=Running",
		"-o", `jsonpath={range .items[*]}{.metadata.labels.app\.kubernetes\.io/name}{"\n"}{end}`)
	if err != nil {
		return err
	}
	running := map[string]int{}
	for pod := range strings.FieldsSeq(pods) {
		running[pod]++
	}
	r.Logf("drain stopped by the disruption budgets; still running: %v", running)
	for _, name := range append([]string{"gateway"}, services...) {
		if running[name] != 1 {
			return fmt.Errorf("drain: %d pods of %s are running, want 1", running[name], name)
		}
	}
	return nil
}

// grow adds a shard and an instance to each service under load. The old data must remain, and new objects must reach
// every shard. Requests may fail, because an instance that does not know the new shard yet responds with 503. It must
// not respond with 404.
func (r *run) grow(ctx context.Context) error {
	return r.underLoad(ctx, anyNumber, func(s *shop.Shop) error {
		if err := r.change(ctx, "grown", func() error { return r.upgrade(ctx, grown) }); err != nil {
			return err
		}
		return s.AwaitShards(ctx, 3, recoveryTimeout)
	})
}

// rollBack rolls back to the revision before the step "grow". That revision lacks one shard, so its instances must
// refuse all shards and never become ready. The old instances, which know all shards, must continue to serve. A second
// rollback, to the revision with all shards, must repair everything.
func (r *run) rollBack(ctx context.Context) error {
	return r.underLoad(ctx, anyNumber, func(s *shop.Shop) error {
		if _, err := r.chart(ctx, "rollback", release); err != nil {
			return err
		}
		if err := check.Poll(ctx, recoveryTimeout, r.refuseTooFewShards); err != nil {
			return err
		}
		if err := s.AwaitDecided(ctx, buys, recoveryTimeout); err != nil {
			return fmt.Errorf("after the rollback: %w", err)
		}
		if err := r.shrink(ctx); err != nil {
			return fmt.Errorf("after the rollback: %w", err)
		}
		return r.change(ctx, "rolled forward", func() error {
			_, err := r.chart(ctx, "rollback", release)
			return err
		})
	})
}

// refuseTooFewShards checks that an instance of each service has logged that REDIS_ADDRS lists too few shards. It
// also checks that instance 1 of each service has an old and a new pod, and that only one of these pods is ready.
func (r *run) refuseTooFewShards(ctx context.Context) error {
	for _, service := range services {
		logs, err := r.kube(ctx, "logs", "-l", ours+",app.kubernetes.io/name="+service, "--tail=100",
			"--max-log-requests=10")
		if err != nil {
			return err
		}
		if !strings.Contains(logs, "3 shards are active, but REDIS_ADDRS lists only 2") {
			return fmt.Errorf("no instance of %s has logged that REDIS_ADDRS lists too few shards; want one such instance",
				service)
		}
		ready, err := r.kube(ctx, "get", "deployment", service+"-1", "-o",
			"jsonpath={.status.replicas} {.status.updatedReplicas} {.status.readyReplicas}")
		if err != nil {
			return err
		}
		if ready != "2 1 1" {
			return fmt.Errorf("deployment %s-1: pods, updated pods, ready pods: got %q, want %q", service, ready, "2 1 1")
		}
	}
	return nil
}

// shrink checks that the chart refuses to remove a shard.
func (r *run) shrink(ctx context.Context) error {
	err := r.upgrade(ctx, updated)
	if err == nil || !strings.Contains(err.Error(), "cannot reduce") {
		return errors.Join(errors.New(`upgrade to fewer shards: want an error that contains "cannot reduce"`), err)
	}
	return nil
}
