package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"checkout/test/check"
	"checkout/test/shop"
)

// replicatedShards are the values of a system whose shards have three nodes.
const replicatedShards = oneShard + ",redis.replicas=3"

// installReplicated installs a system with replicated shards, and checks that it works. The Jobs of the installation
// initialize the shards. Then an upgrade to the same values runs these Jobs again. This time they must do nothing.
func (r *run) installReplicated(ctx context.Context) error {
	deploy := func() error { return r.upgradeReplicated(ctx, replicatedShards) }
	if err := r.install(ctx, deploy); err != nil {
		return err
	}
	return r.underLoad(ctx, 0, func(*shop.Shop) error { return r.change(ctx, "upgraded without changes", deploy) })
}

// upgradeReplicated is like upgrade, but also sets the values in REPLICATED.
func (r *run) upgradeReplicated(ctx context.Context, values string) error {
	if more := os.Getenv("REPLICATED"); more != "" {
		values += "," + more
	}
	return r.upgrade(ctx, values)
}

// deletePrimaries deletes the pod of one primary of each service under load: gracefully for order, and with SIGKILL for
// stock and payment. It logs how long no order was paid.
func (r *run) deletePrimaries(ctx context.Context) error {
	return r.underLoad(ctx, anyNumber, func(s *shop.Shop) error {
		for _, service := range services {
			options := []string{"--grace-period=0", "--force"}
			if service == "order" {
				options = nil
			}
			pod, err := r.primary(ctx, service+"-redis-0")
			if err != nil {
				return err
			}
			began := time.Now()
			err = r.change(ctx, fmt.Sprint(pod, " deleted ", options), func() error {
				if _, err := r.kube(ctx, append([]string{"delete", "pod", pod, "--wait=false"}, options...)...); err != nil {
					return err
				}
				return s.AwaitDecided(ctx, buys, recoveryTimeout)
			})
			if err != nil {
				return err
			}
			r.Logf("%s: no order was paid for %.1f s", pod, longestGap(s.PaidTimes(), began).Seconds())
			if now, err := r.primary(ctx, service+"-redis-0"); err != nil || now == pod && len(options) > 0 {
				return errors.Join(fmt.Errorf("the primary is %q after the deletion of %s, want another node", now, pod), err)
			}
		}
		return nil
	})
}

// longestGap returns the longest time without an event, from the given start until the last event. The times of the
// events must be in order.
func longestGap(times []time.Time, since time.Time) (longest time.Duration) {
	last := since
	for _, t := range times {
		if t.After(last) {
			longest, last = max(longest, t.Sub(last)), t
		}
	}
	return longest
}

// restartReplicated restarts all nodes of every shard under load, as an update of Redis does: one node of a shard
// at a time.
func (r *run) restartReplicated(ctx context.Context) error {
	return r.underLoad(ctx, anyNumber, func(s *shop.Shop) error {
		began := time.Now()
		err := r.change(ctx, "restarted every Redis and keeper", func() error {
			return r.upgradeReplicated(ctx, replicatedShards+",redis.pod.annotations.restart=now")
		})
		if err != nil {
			return err
		}
		r.Logf("the longest time without a paid order was %.1f s", longestGap(s.PaidTimes(), began).Seconds())
		return nil
	})
}

// primary returns the pod of the primary of a replicated shard. It waits until the shard can acknowledge writes: until
// then, `keeper status` fails.
func (c *cluster) primary(ctx context.Context, set string) (pod string, err error) {
	err = check.Poll(ctx, recoveryTimeout, func(ctx context.Context) error {
		table, err := c.kube(ctx, "exec", set+"-0", "-c", "keeper", "--", "/keeper", "status")
		if err != nil {
			return fmt.Errorf("%s: %w", set, err)
		}
		for line := range strings.Lines(table) {
			if fields := strings.Fields(line); len(fields) > 2 && fields[2] == "primary" {
				pod = set + "-" + fields[0]
			}
		}
		if pod == "" {
			return fmt.Errorf("%s has no primary:\n%s", set, table)
		}
		return nil
	})
	return pod, err
}

// redisPods returns, for each shard of a service, the pod that has the current data.
func (c *cluster) redisPods(ctx context.Context, service string) (pods []string, err error) {
	list, err := c.kube(ctx, "get", "statefulset", "-l", ours, "-o",
		`jsonpath={range .items[*]}{.metadata.name} {.spec.replicas}{"\n"}{end}`)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(list) {
		var set string
		var n int
		fmt.Sscan(line, &set, &n)
		switch shard, _ := strings.CutPrefix(set, service+"-redis"); {
		case set == service+"-redis":
			for i := range n {
				pods = append(pods, fmt.Sprintf("%s-%d", set, i))
			}
		case shard != set:
			pod, err := c.primary(ctx, set)
			if err != nil {
				return nil, err
			}
			pods = append(pods, pod)
		}
	}
	return pods, nil
}
