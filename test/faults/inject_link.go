package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"checkout/test/faultproxy"
	"checkout/test/stack"
)

// links returns the names of all links of a system, such as "nginx > order-1".
func links(size stack.Size) []string {
	var all []string
	for _, service := range stack.Services() {
		for i := range size.Instances {
			instance := fmt.Sprintf("%s-%d", service, i+1)
			all = append(all, "nginx > "+instance)
			for shard := range size.Shards {
				all = append(all, fmt.Sprintf("%s > redis-%s-%d", instance, service, shard))
			}
		}
	}
	return append(all, serviceLinks(size)...)
}

// serviceLinks returns the links between instances of different services.
func serviceLinks(size stack.Size) []string {
	var all []string
	for _, pair := range [][2]string{{"order", "stock"}, {"order", "payment"}, {"payment", "order"}} {
		for i := range size.Instances {
			for j := range size.Instances {
				all = append(all, fmt.Sprintf("%s-%d > %s-%d", pair[0], i+1, pair[1], j+1))
			}
		}
	}
	return all
}

// internalLinks returns all links except those from the gateway. Faults that duplicate or reorder messages use only
// these links, because a duplicate of a client's request could take effect twice.
func internalLinks(size stack.Size) []string {
	return slices.DeleteFunc(links(size), func(link string) bool { return strings.HasPrefix(link, "nginx ") })
}

// linkFault returns an injector of a network fault. The last argument is a function that returns the faults to inject
// for an intensity from 0 to 1.
func linkFault(kind string, targets func(stack.Size) []string, shortest, longest time.Duration, weight int,
	faults func(intensity float64) faultproxy.Faults) *injector {
	inject := func(m *mixRun, i injection) (func() error, error) {
		p, f := m.proxies.on(i.target), faults(i.intensity)
		f.Record = noFaults.Record
		p.Set(f)
		return func() error { p.Set(noFaults); return nil }, nil
	}
	return &injector{kind: kind, targets: targets, shortest: shortest, longest: longest, weight: weight, inject: inject}
}

func scale(longest time.Duration, fraction float64) time.Duration {
	return time.Duration(fraction * float64(longest))
}

var linkFaults = []*injector{
	linkFault("link cut", links, 0, 3*time.Second, 4,
		func(float64) faultproxy.Faults { return faultproxy.Faults{Cut: true} }),
	linkFault("link blackholed", links, 200*time.Millisecond, 7*time.Second, 3,
		func(float64) faultproxy.Faults { return faultproxy.Faults{Blackhole: true} }),
	linkFault("replies dropped", links, 50*time.Millisecond, 4*time.Second, 4,
		func(float64) faultproxy.Faults { return faultproxy.Faults{DropReplies: true} }),
	linkFault("messages delayed", links, time.Second, 6*time.Second, 4,
		func(x float64) faultproxy.Faults { return faultproxy.Faults{Delay: scale(2*time.Second, x*x)} }),
	linkFault("messages duplicated", internalLinks, time.Second, 8*time.Second, 4,
		func(x float64) faultproxy.Faults { return faultproxy.Faults{Duplicate: 0.2 + 0.8*x} }),
	linkFault("messages reordered", internalLinks, time.Second, 8*time.Second, 4, func(x float64) faultproxy.Faults {
		return faultproxy.Faults{Delay: 50 * time.Millisecond, Repeat: 0.3, RepeatWithin: scale(5*time.Second, x)}
	}),
}
