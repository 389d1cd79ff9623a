package main

import (
	"fmt"
	"time"

	"checkout/test/faultproxy"
	"checkout/test/stack"
)

// ways are the edges of a system, by "from > to".
func ways(size stack.Size) []string {
	var all []string
	each := func(service string, do func(machine string)) {
		for i := range size.Instances {
			do(fmt.Sprintf("%s-%d", service, i+1))
		}
	}
	for _, service := range stack.Services() {
		each(service, func(machine string) {
			all = append(all, "nginx > "+machine)
			for i := range size.Shards {
				all = append(all, fmt.Sprintf("%s > redis-%s-%d", machine, service, i))
			}
		})
	}
	return append(all, inner(size)...)
}

// inner are the edges from service to service.
func inner(size stack.Size) []string {
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

// behind are the edges on which messages may be repeated: all but those from the gateway.
func behind(size stack.Size) []string {
	var all []string
	for _, way := range ways(size) {
		if way[:len("nginx")] != "nginx" {
			all = append(all, way)
		}
	}
	return all
}

// weather is a kind of fault on an edge.
func weather(kind string, targets func(stack.Size) []string, shortest, until time.Duration, weight int, of func(dose float64) faultproxy.Weather) *injector {
	return &injector{kind: kind, targets: targets, shortest: shortest, until: until, weight: weight, inject: func(m *mixing, i injection) (func() error, error) {
		tp := m.edges.of(i.target)
		bad := of(i.dose)
		bad.Recorded = fine.Recorded
		tp.Set(bad)
		return func() error { tp.Set(fine); return nil }, nil
	}}
}

func upTo(longest time.Duration, dose float64) time.Duration {
	return time.Duration(dose * float64(longest))
}

// The kinds of faults on edges.
var edgeFaults = []*injector{
	weather("cut", ways, 0, 3*time.Second, 4, func(float64) faultproxy.Weather { return faultproxy.Weather{Cut: true} }),
	weather("all lost", ways, 200*time.Millisecond, 7*time.Second, 3, func(float64) faultproxy.Weather { return faultproxy.Weather{Silent: true} }),
	weather("replies lost", ways, 50*time.Millisecond, 4*time.Second, 4, func(float64) faultproxy.Weather { return faultproxy.Weather{Mute: true} }),
	weather("delayed", ways, time.Second, 6*time.Second, 4, func(dose float64) faultproxy.Weather {
		return faultproxy.Weather{Delay: upTo(2*time.Second, dose*dose)}
	}),
	weather("duplicated", behind, time.Second, 8*time.Second, 4, func(dose float64) faultproxy.Weather { return faultproxy.Weather{Double: 0.2 + 0.8*dose} }),
	weather("reordered", behind, time.Second, 8*time.Second, 4, func(dose float64) faultproxy.Weather {
		return faultproxy.Weather{Delay: 50 * time.Millisecond, Late: 0.3, LateFor: upTo(5*time.Second, dose)}
	}),
}
